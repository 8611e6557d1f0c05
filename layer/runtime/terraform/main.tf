# A customer-managed runtime and a function on it. The provider for AWS knows no such runtimes yet, so
# both are stacks of CloudFormation, which works with every version of it.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "image_uri" {
  description = "The version's image in ECR with its digest, REPOSITORY@sha256:..."
  type        = string
}

variable "version_name" {
  description = "Name of the version, such as v0.1.0; a version never changes"
  type        = string
}

variable "stable_version_name" {
  description = "Name of the version for the alias stable"
  type        = string
}

variable "runtime_name" {
  description = "Name of the runtime; another one makes a second runtime beside the first"
  type        = string
  default     = "shell"
}

variable "function_name" {
  description = "Name of the function"
  type        = string
  default     = "hello-shell"
}

variable "code_bucket" {
  description = "Bucket of this account with the zip of the function"
  type        = string
}

variable "code_key" {
  description = "Key of the zip"
  type        = string
}

resource "aws_cloudformation_stack" "runtime" {
  name          = "runtime-${substr(replace(var.runtime_name, "/[^a-z0-9]/", "-"), 0, 100)}"
  template_body = file("${path.module}/../publisher.yaml")

  parameters = {
    RuntimeName       = var.runtime_name
    ImageUri          = var.image_uri
    VersionName       = var.version_name
    StableVersionName = var.stable_version_name
  }
}

resource "aws_cloudformation_stack" "function" {
  name          = "function-${replace(var.function_name, "_", "-")}"
  template_body = file("${path.module}/../consumer.yaml")
  capabilities  = ["CAPABILITY_IAM"]

  parameters = {
    FunctionName = var.function_name
    RuntimeArn   = aws_cloudformation_stack.runtime.outputs["RuntimeArn"]
    CodeBucket   = var.code_bucket
    CodeKey      = var.code_key
  }
}

output "function_arn" {
  description = "ARN of the function"
  value       = aws_cloudformation_stack.function.outputs["FunctionArn"]
}
