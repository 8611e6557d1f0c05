# The hello function on arm64: make dist, then terraform init and terraform apply in this folder.

variable "code_zip" {
  description = "Zip of the function"
  type        = string
}

variable "layer_zip" {
  description = "Zip of the layer"
  type        = string
}

variable "layer_bucket" {
  description = "Bucket that the layer goes through"
  type        = string
}

module "hello" {
  source = "../"

  name         = "hello-shell"
  code_zip     = var.code_zip
  layer_zip    = var.layer_zip
  layer_bucket = var.layer_bucket
  environment  = { GREETING = "hello" }
}

output "function_name" {
  value = module.hello.function_name
}
