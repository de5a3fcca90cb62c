# The settings of main.tf. example.tfvars has an example of those without a default.

variable "region" {
  description = "Where the functions run."
  type        = string
  default     = "ap-guangzhou"
}

variable "name" {
  description = "What the names of the functions begin with."
  type        = string
  default     = "mini-lvb"
}

variable "packages" {
  description = "The folder that scripts/build-scf wrote to."
  type        = string
  default     = "../../target/scf"
}

variable "settings" {
  description = "The settings that are not secret, by their names: `mini-lvb settings` lists them. SCF takes 4 KB in all."
  type        = map(string)
}

variable "secrets" {
  description = "The settings whose names have KEY in them."
  type        = map(string)
  sensitive   = true
}

variable "table" {
  description = "The DynamoDB-compatible server that has the table."
  type = object({
    url    = string
    region = optional(string, "us-east-1")
  })
}

variable "table_key_id" {
  description = "The access key id for it."
  type        = string
  sensitive   = true
}

variable "table_secret_key" {
  description = "The secret access key for it."
  type        = string
  sensitive   = true
}

variable "network" {
  description = "The private network of that server and a subnet in it; null for a server on the internet."
  type = object({
    vpc    = string
    subnet = string
  })
  default = {
    vpc    = null
    subnet = null
  }
}
