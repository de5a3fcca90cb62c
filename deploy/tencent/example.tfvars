# An example of the settings of main.tf: copy it to own.auto.tfvars, which git ignores, and enter your values.

settings = {
  ACTION_AUTH         = "user-sig"
  BIZID               = "8888"
  LIVE_APPID          = "1250000000"
  COS_APPID           = "1250000000"
  COS_BUCKET          = "covers"
  COS_SECRET_ID       = "AKID..."
  CLOUD_API_SECRET_ID = "AKID..."
  IM_SDK_APP_ID       = "1400000000"
}

secrets = {
  OPERATOR_KEY         = ""
  PUSH_KEY             = ""
  API_KEY              = ""
  COS_SECRET_KEY       = ""
  CLOUD_API_SECRET_KEY = ""
  IM_SECRET_KEY        = ""
  SESSION_KEY          = ""
}

table = {
  url = "http://10.0.0.10:8000"
}

table_key_id     = ""
table_secret_key = ""

network = {
  vpc    = "vpc-..."
  subnet = "subnet-..."
}
