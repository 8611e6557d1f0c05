# shellcheck shell=sh
# Copies the event to S3 and back with the layer's aws, asks STS who it is, and responds with jq.

handler() {
  echo 'handler received event' >&2
  cat >/tmp/sent.json
  bucket=$(jq --raw-output .bucket /tmp/sent.json) && aws s3 mb "s3://$bucket" >&2 || return 1
  aws s3 cp /tmp/sent.json "s3://$bucket/key.json" --quiet >&2 || return 2
  aws s3 cp "s3://$bucket/key.json" /tmp/received.json --quiet >&2 || return 3
  [ "$(sha256sum </tmp/sent.json)" = "$(sha256sum </tmp/received.json)" ] || return 4
  account=$(aws sts get-caller-identity --query Account --output text) || return 5
  objects=$(aws s3api list-objects-v2 --bucket "$bucket" --query 'Contents[].Key') || return 6
  version=$(aws --version) || return 7
  jq --compact-output --arg account "$account" --argjson objects "$objects" \
    --arg version "${version%% *}" \
    '{aws_cli: $version, account: $account, objects: $objects, input: .}' /tmp/received.json
}
