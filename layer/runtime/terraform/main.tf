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

variable "code_bucket" {
  description = "Bucket of this account with the zip of the function"
  type        = string
}

variable "code_key" {
  description = "Key of the zip"
  type        = string
}

resource "aws_cloudformation_stack" "runtime" {
  name          = "shell-runtime"
  template_body = file("${path.module}/../publisher.yaml")

  parameters = {
    ImageUri          = var.image_uri
    VersionName       = var.version_name
    StableVersionName = var.stable_version_name
  }
}

resource "aws_cloudformation_stack" "function" {
  name          = "hello-shell"
  template_body = file("${path.module}/../consumer.yaml")
  capabilities  = ["CAPABILITY_IAM"]

  parameters = {
    RuntimeArn = aws_cloudformation_stack.runtime.outputs["RuntimeArn"]
    CodeBucket = var.code_bucket
    CodeKey    = var.code_key
  }
}

output "function_arn" {
  description = "ARN of the function"
  value       = aws_cloudformation_stack.function.outputs["FunctionArn"]
}
