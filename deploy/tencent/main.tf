# Deploys the server to SCF, Tencent's function service: a web function with all commands, and the sweep, which a timer
# calls. docs/scf.md says how.

terraform {
  required_version = ">= 1.3"
  required_providers {
    tencentcloud = {
      source  = "tencentcloudstack/tencentcloud"
      version = "~> 1.82"
    }
  }
}

provider "tencentcloud" {
  region = var.region
}

locals {
  # What scripts/build-scf wrote. The names have a checksum in them: the provider looks at the name of a file only.
  web   = "${var.packages}/${one(fileset(var.packages, "scf_web-*.zip"))}"
  event = "${var.packages}/${one(fileset(var.packages, "scf_event-*.zip"))}"

  environment = merge(var.settings, var.secrets, {
    AWS_ENDPOINT_URL_DYNAMODB = var.table.url
    AWS_REGION                = var.table.region
    AWS_ACCESS_KEY_ID         = var.table_key_id
    AWS_SECRET_ACCESS_KEY     = var.table_secret_key
    AWS_LAMBDA_LOG_FORMAT     = "JSON"
  })
}

# Every command, /interface.php and the callbacks.
resource "tencentcloud_scf_function" "web" {
  name        = "${var.name}-web"
  description = "Mini LVB, every command"
  func_type   = "HTTP"
  # The language is no matter, scf_bootstrap is what is started: that of Go is started on CentOS 7.
  runtime           = "Go1"
  zip_file          = local.web
  mem_size          = 128
  timeout           = 10
  environment       = local.environment
  vpc_id            = var.network.vpc
  subnet_id         = var.network.subnet
  enable_public_net = true

  triggers {
    name = "url"
    type = "http"
    trigger_desc = jsonencode({
      # Phones and the live cloud sign by other means.
      AuthType = "NONE"
      NetConfig = {
        EnableExtranet = true
        EnableIntranet = false
      }
    })
  }
}

# What nobody else looks after, once a minute. A web function cannot be called by a timer.
resource "tencentcloud_scf_function" "sweep" {
  name        = "${var.name}-sweep"
  description = "Mini LVB, the sweep"
  func_type   = "Event"
  runtime     = "CustomRuntime"
  # SCF wants one; the process does not look at it.
  handler  = "index.main_handler"
  zip_file = local.event
  mem_size = 128
  # Two rounds, half a minute apart, if a live may be over.
  timeout           = 58
  environment       = local.environment
  vpc_id            = var.network.vpc
  subnet_id         = var.network.subnet
  enable_public_net = true

  triggers {
    name         = "minute"
    type         = "timer"
    trigger_desc = "0 */1 * * * * *"
  }
}

output "trigger" {
  description = "What SCF says of the function URL; the address stands in it."
  value       = one([for trigger in tencentcloud_scf_function.web.trigger_info : trigger.trigger_desc if trigger.type == "http"])
}
