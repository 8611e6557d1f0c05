"""Calls a host with boto3 as any program would, and prints what it saw."""

import json
import sys
import time

import boto3
from botocore.exceptions import ClientError

lam = boto3.client(
    "lambda",
    endpoint_url=sys.argv[1],
    region_name="us-east-1",
    aws_access_key_id="x",
    aws_secret_access_key="x",
)


def invoke(event, **options):
    return lam.invoke(FunctionName="probe", Payload=json.dumps(event), **options)


def error_code(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def stream(event):
    response = lam.invoke_with_response_stream(FunctionName="probe", Payload=json.dumps(event))
    chunks, times, error = [], [], None
    for message in response["EventStream"]:
        if "PayloadChunk" in message:
            chunks.append(message["PayloadChunk"]["Payload"].decode())
            times.append(time.monotonic())
        if "InvokeComplete" in message:
            error = message["InvokeComplete"].get("ErrorCode")
    return chunks, times, error


ok = invoke({"id": 1})
failed = invoke({"do": "error"})
chunks, times, end = stream({"do": "stream", "lines": 3, "ms": 100})
print(
    json.dumps(
        {
            "names": [f["FunctionName"] for f in lam.list_functions()["Functions"]],
            "invoked": {
                "status": ok["StatusCode"],
                "error": ok.get("FunctionError"),
                "payload": json.load(ok["Payload"]),
            },
            "failed": {
                "status": failed["StatusCode"],
                "error": failed.get("FunctionError"),
                "type": json.load(failed["Payload"])["errorType"],
            },
            "asynchronous": invoke({}, InvocationType="Event")["StatusCode"],
            "dryRun": invoke({}, InvocationType="DryRun")["StatusCode"],
            "unknown": error_code(lambda: lam.get_function(FunctionName="nobody")),
            "invalid": error_code(lambda: lam.invoke(FunctionName="probe", Payload=b"{")),
            "stream": chunks,
            "streamEnd": end,
            "streamError": stream({"do": "stream-error"})[2],
            "streamSpread": times[-1] - times[0] > 0.1,
        }
    )
)
