# A shell function on provided.al2023 with the lambda-shell-runtime layer.

# How many there are of a resource must be known before anything is made; the ARN of a role, the name of a
# bucket and the ARN of a layer in the same configuration are known only afterwards.
locals {
  makes_layer = var.layer_zip != null
  makes_role  = coalesce(var.create_role, var.role_arn == null)
  uses_bucket = local.makes_layer && coalesce(var.use_layer_bucket, var.layer_bucket != null)
  layer_arn   = local.makes_layer ? one(aws_lambda_layer_version.runtime[*].arn) : var.layer_arn
  role_arn    = local.makes_role ? one(aws_iam_role.function[*].arn) : var.role_arn
}

resource "aws_s3_object" "layer" {
  count = local.uses_bucket ? 1 : 0

  bucket      = var.layer_bucket
  key         = "${var.name}/${basename(var.layer_zip)}"
  source      = var.layer_zip
  source_hash = filebase64sha256(var.layer_zip)
  tags        = var.tags

  lifecycle {
    precondition {
      condition     = var.layer_bucket != null
      error_message = "Give layer_bucket, or use_layer_bucket = false."
    }
  }
}

resource "aws_lambda_layer_version" "runtime" {
  count = local.makes_layer ? 1 : 0

  layer_name               = "lambda-shell-runtime-${var.architecture == "arm64" ? "arm64" : "amd64"}"
  description              = "Runs shell functions"
  filename                 = local.uses_bucket ? null : var.layer_zip
  s3_bucket                = one(aws_s3_object.layer[*].bucket)
  s3_key                   = one(aws_s3_object.layer[*].key)
  source_code_hash         = filebase64sha256(var.layer_zip)
  compatible_runtimes      = ["provided.al2023"]
  compatible_architectures = [var.architecture]
  license_info             = "Apache-2.0"
  skip_destroy             = var.keep_layers
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_partition" "current" {}

resource "aws_iam_role" "function" {
  count = local.makes_role ? 1 : 0

  name_prefix        = "${substr(var.name, 0, 30)}-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "log" {
  count = local.makes_role ? 1 : 0

  role       = one(aws_iam_role.function[*].name)
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_iam_role_policy_attachment" "trace" {
  count = local.makes_role && var.tracing == "Active" ? 1 : 0

  role       = one(aws_iam_role.function[*].name)
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AWSXRayDaemonWriteAccess"
}

# Lambda would make the group itself, and keep every line.
resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_lambda_function" "function" {
  function_name    = var.name
  filename         = var.code_zip
  source_code_hash = filebase64sha256(var.code_zip)
  role             = local.role_arn
  runtime          = "provided.al2023"
  handler          = var.handler
  architectures    = [var.architecture]
  layers           = concat([local.layer_arn], var.extra_layers)
  memory_size      = var.memory_size
  timeout          = var.timeout
  tags             = var.tags

  tracing_config {
    mode = var.tracing
  }

  dynamic "environment" {
    for_each = length(var.environment) > 0 ? [var.environment] : []

    content {
      variables = environment.value
    }
  }

  # Lambda refuses a traced function whose role may not trace yet.
  depends_on = [
    aws_cloudwatch_log_group.function,
    aws_iam_role_policy_attachment.log,
    aws_iam_role_policy_attachment.trace,
  ]

  lifecycle {
    precondition {
      condition     = (var.layer_zip == null) != (var.layer_arn == null)
      error_message = "Give either layer_zip or layer_arn."
    }

    precondition {
      condition     = local.makes_role == (var.role_arn == null)
      error_message = "Give either role_arn or create_role = true."
    }
  }
}
