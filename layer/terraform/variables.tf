variable "name" {
  description = "Name of the function"
  type        = string
}

variable "code_zip" {
  description = "Zip of the function's folder; lambda-shell package makes one"
  type        = string
}

variable "layer_zip" {
  description = "Zip of the layer, from a release or make dist; null takes layer_arn instead"
  type        = string
  default     = null
}

variable "layer_bucket" {
  description = "Bucket that layer_zip goes through: Lambda takes more than 50 MiB only from S3"
  type        = string
  default     = null
}

variable "use_layer_bucket" {
  description = "Whether layer_bucket is used; null asks whether it is given, true says so of one made with the function"
  type        = bool
  default     = null
}

variable "layer_arn" {
  description = "ARN of a published version of the layer, instead of layer_zip"
  type        = string
  default     = null
}

variable "architecture" {
  description = "Architecture of function and layer; arm64 costs less"
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "The architecture is arm64 or x86_64."
  }
}

variable "handler" {
  description = "script.function, or a file's name"
  type        = string
  default     = "function.handler"
}

variable "memory_size" {
  description = "Memory in MB"
  type        = number
  default     = 128
}

variable "timeout" {
  description = "Time for one event, in seconds"
  type        = number
  default     = 10
}

variable "environment" {
  description = "Variables of the function"
  type        = map(string)
  default     = {}
}

variable "extra_layers" {
  description = "ARNs of further layers; a later one may replace programs of an earlier one"
  type        = list(string)
  default     = []
}

variable "role_arn" {
  description = "Role of the function; null makes one that may write its log"
  type        = string
  default     = null
}

variable "create_role" {
  description = "Whether a role is made; null asks whether role_arn is given, false says so of one made with the function"
  type        = bool
  default     = null
}

variable "log_retention_days" {
  description = "How long the log is kept, in days"
  type        = number
  default     = 14
}

variable "keep_layers" {
  description = "Keep older versions of the layer: other functions may use them"
  type        = bool
  default     = true
}

variable "tracing" {
  description = "Active records every sampled event in X-Ray, which costs; PassThrough records none of its own"
  type        = string
  default     = "PassThrough"

  validation {
    condition     = contains(["PassThrough", "Active"], var.tracing)
    error_message = "The tracing is PassThrough or Active."
  }
}

variable "tags" {
  description = "Tags of everything that can have them"
  type        = map(string)
  default     = {}
}
