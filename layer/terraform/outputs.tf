output "function_arn" {
  description = "ARN of the function"
  value       = aws_lambda_function.function.arn
}

output "function_name" {
  description = "Name of the function"
  value       = aws_lambda_function.function.function_name
}

output "layer_version_arn" {
  description = "ARN of the layer that the function uses"
  value       = local.layer_arn
}

output "role_arn" {
  description = "ARN of the role of the function"
  value       = local.role_arn
}
