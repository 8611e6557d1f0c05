#!/bin/sh
# Publishes the layers with the AWS CLI.
#
#     publish.sh arm64|amd64|wrapper|all    applications of the Serverless Application Repository
#     publish.sh layers                     plain layer versions, without the repository
#     publish.sh setup                      the bucket that the repository reads
#     publish.sh deploy                     a stack with both layers from the published application
#     publish.sh delete                     the applications (ENV=prod: with ALLOW_PROD_DELETE=1)
#     publish.sh check                      whether all of that is possible: tools, files, account
#
# DRY_RUN=1 checks what can be checked here and prints every command that would reach AWS.
# LAYER_DIST=FOLDER publishes the zips of a release instead of those in dist/.
# HOME_PAGE=https://… is shown by the repository; with ENV=prod it must be said.
# ENV=prod|dev, LSR_AWS_REGION, LSR_BUCKET_NAME (S3_BUCKET is taken as it is, also with ENV=dev),
# LSR_S3_PREFIX (or S3_PREFIX), LSR_STACK_NAME and the names of render-sar.ts set the rest. The bucket
# is lambda-shell-runtime-ACCOUNT-REGION unless said otherwise, since a bucket's name belongs to
# the account that takes it first; it must be the account's own.
set -eu

cd "$(dirname "$0")/../../.."
ENV=${ENV:-prod}
case $ENV in
  prod) suffix= ;;
  dev) suffix=-dev ;;
  *) echo "unknown ENV $ENV: it must be prod or dev" >&2; exit 2 ;;
esac
RELEASE=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
REGION=${LSR_AWS_REGION:-us-east-1}
PREFIX=${S3_PREFIX:-${LSR_S3_PREFIX:-sar}}
STACK=${LSR_STACK_NAME:-lambda-shell-runtime-setup}$suffix
DRY_RUN=${DRY_RUN:-0}

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# quoted ARGS: the arguments as one line that a shell would read as them.
quoted() {
  line=
  for argument; do
    case $argument in
      *[!A-Za-z0-9_./:=@%,+-]* | '') line="$line '$(printf '%s' "$argument" | sed "s/'/'\\\\''/g")'" ;;
      *) line="$line $argument" ;;
    esac
  done
  printf '%s\n' "${line# }"
}

# aws_run ARGS: prints the command, and runs it unless this is a dry run.
aws_run() {
  printf '+ %s\n' "$(quoted aws --region "$REGION" "$@")" >&2
  [ "$DRY_RUN" = 1 ] || aws --region "$REGION" "$@"
}

# find_account: sets ACCOUNT and PARTITION to those of the credentials, or to the example's in a dry
# run, and BUCKET. A number that was said is a promise: nothing is published into another account.
find_account() {
  ACCOUNT=${AWS_ACCOUNT_ID:-} PARTITION=aws
  if [ "$DRY_RUN" = 1 ]; then
    ACCOUNT=${ACCOUNT:-123456789012}
  else
    command -v aws > /dev/null || fail 'failed to find aws: install the AWS CLI'
    identity=$(aws --region "$REGION" sts get-caller-identity --query '[Account, Arn]' \
      --output text) ||
      fail "failed to find the account in $REGION: check the credentials (AWS_PROFILE, aws configure)"
    found=$(printf '%s' "$identity" | cut -f 1)
    PARTITION=$(printf '%s' "$identity" | cut -f 2 | cut -d : -f 2)
    case $found in
      '' | *[!0-9]*) fail "failed to find the account in $REGION: AWS returned \"$identity\"" ;;
    esac
    [ "${ACCOUNT:-$found}" = "$found" ] ||
      fail "refusing to publish: AWS_ACCOUNT_ID is $ACCOUNT, but the credentials are of $found"
    ACCOUNT=$found
  fi
  if [ -n "${S3_BUCKET:-}" ]; then
    BUCKET=$S3_BUCKET
  elif [ -n "${LSR_BUCKET_NAME:-}" ]; then
    BUCKET=$LSR_BUCKET_NAME$suffix
  else
    BUCKET=lambda-shell-runtime$suffix-$ACCOUNT-$REGION
  fi
}

check_file() {
  [ -s "$1" ] || fail "failed to find $1: run \"make dist\" first"
}

layer_zip() {
  printf '%s/lambda-shell-runtime-%s-%s.zip\n' "${LAYER_DIST:-dist}" "$1" "$RELEASE"
}

# application NAME: the value that render-sar.ts gave to the name of a template's application.
application() {
  sed -n 's/^    Name: //p' "dist/sar/$1.yaml"
}

# application_id TEMPLATE: the ARN of a template's application.
application_id() {
  printf 'arn:%s:serverlessrepo:%s:%s:applications/%s\n' "$PARTITION" "$REGION" "$ACCOUNT" \
    "$(application "$1")"
}

# render: writes dist/sar, whose templates name the zips where upload puts them.
render() {
  AWS_ACCOUNT_ID=$ACCOUNT AWS_PARTITION=$PARTITION ENV=$ENV ZIPS=s3://$BUCKET/$PREFIX \
    node_modules/.bin/bun build/deployments/release/render-sar.ts > /dev/null
}

# layer_arn ARCHITECTURE: the ARN of a layer, with the name that render-sar.ts gave it.
layer_arn() {
  printf 'arn:%s:lambda:%s:%s:layer:%s\n' "$PARTITION" "$REGION" "$ACCOUNT" \
    "$(sed -n 's/^      LayerName: //p' "dist/sar/template-$1.yaml")"
}

# upload ARCHITECTURE: puts a zip into the bucket, which must be the account's own, and sets CONTENT to
# what Lambda calls it: the very object, where the bucket keeps versions.
upload() {
  key=$PREFIX/$(basename "$(layer_zip "$1")")
  # A plain assignment, so that a failure stops here.
  object=$(aws_run s3api put-object --bucket "$BUCKET" --key "$key" --body "$(layer_zip "$1")" \
    --expected-bucket-owner "$ACCOUNT" --checksum-algorithm SHA256 \
    --query VersionId --output text)
  CONTENT=S3Bucket=$BUCKET,S3Key=$key
  case $object in
    '' | None | null) ;;
    *) CONTENT=$CONTENT,S3ObjectVersion=$object ;;
  esac
}

# application_exists ID: whether the repository has it. Any other response stops here:
# an application is not created again because the network or a permission was missing.
application_exists() {
  if error=$(aws --region "$REGION" serverlessrepo get-application --application-id "$1" 2>&1 \
    > /dev/null); then
    return 0
  fi
  case $error in
    *NotFoundException*) return 1 ;;
    *) fail "failed to look up $1: $error" ;;
  esac
}

# may_publish: stops before anything is uploaded for a real application without a home page.
may_publish() {
  if [ "$ENV" = prod ] && [ "$DRY_RUN" != 1 ] && [ -z "${HOME_PAGE:-}" ]; then
    fail 'refusing to publish without a home page: set HOME_PAGE to the address of the repository'
  fi
}

# said TEMPLATE NAME: what the metadata of a template says. SAM's own command reads it, the repository does not.
said() {
  sed -n "s/^    $2: //p" "dist/sar/$1.yaml" | head -n 1
}

# publish_application TEMPLATE: adds the version, or makes the application when it is new. What one shows of
# itself is that of its newest version.
publish_application() {
  template=$1
  version=$(said "$template" SemanticVersion)
  id=$(application_id "$template")
  labels=$(said "$template" Labels | tr -d '[],')
  # shellcheck disable=SC2086 # one word for each label
  set -- --author "$(said "$template" Author)" --description "$(said "$template" Description)" \
    --home-page-url "$(said "$template" HomePageUrl)" --labels $labels \
    --readme-body file://dist/sar/README.md
  source=$(said "$template" SourceCodeUrl)
  if [ "$DRY_RUN" = 1 ] || application_exists "$id"; then
    aws_run serverlessrepo create-application-version --application-id "$id" \
      --semantic-version "$version" --source-code-url "$source" \
      --template-body "file://dist/sar/$template.yaml"
    aws_run serverlessrepo update-application --application-id "$id" "$@"
  else
    aws_run serverlessrepo create-application --name "$(application "$template")" "$@" \
      --semantic-version "$version" --source-code-url "$source" --spdx-license-id Apache-2.0 \
      --license-body file://dist/sar/LICENSE --template-body "file://dist/sar/$template.yaml"
  fi
  printf 'application %s %s\n' "$id" "$version"
}

publish_architecture() {
  check_file "$(layer_zip "$1")"
  may_publish
  render
  upload "$1"
  publish_application "template-$1"
}

publish_wrapper() {
  may_publish
  render
  publish_application template
}

publish_layers() {
  render
  for pair in arm64:arm64 amd64:x86_64; do
    check_file "$(layer_zip "${pair%%:*}")"
    upload "${pair%%:*}"
    aws_run lambda publish-layer-version --layer-name "$(layer_arn "${pair%%:*}")" \
      --description "lambda-shell-runtime $RELEASE" --license-info Apache-2.0 \
      --compatible-runtimes provided.al2023 --compatible-architectures "${pair##*:}" \
      --content "$CONTENT" --query LayerVersionArn --output text
  done
}

delete_applications() {
  if [ "$ENV" = prod ] && [ "${ALLOW_PROD_DELETE:-0}" != 1 ]; then
    fail 'refusing to delete the published applications: set ENV=dev or ALLOW_PROD_DELETE=1'
  fi
  render
  for template in template template-arm64 template-amd64; do
    aws_run serverlessrepo delete-application --application-id "$(application_id "$template")"
  done
}

deploy() {
  render
  change_set=$(aws_run serverlessrepo create-cloud-formation-change-set \
    --stack-name "$(application template)" --application-id "$(application_id template)" \
    --capabilities CAPABILITY_AUTO_EXPAND --query ChangeSetId --output text)
  change_set=${change_set:-CHANGE_SET}
  aws_run cloudformation wait change-set-create-complete --change-set-name "$change_set"
  aws_run cloudformation execute-change-set --change-set-name "$change_set"
}

check() {
  check_file "$(layer_zip arm64)"
  check_file "$(layer_zip amd64)"
  aws_run sts get-caller-identity
  aws_run s3api head-bucket --bucket "$BUCKET" --expected-bucket-owner "$ACCOUNT"
}

usage() {
  sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p;}' "$0" >&2
  exit 2
}

case ${1:-} in
  arm64 | amd64 | wrapper | all | layers | setup | deploy | delete | check) find_account ;;
  *) usage ;;
esac

case $1 in
  arm64 | amd64) publish_architecture "$1" ;;
  wrapper) publish_wrapper ;;
  all)
    publish_architecture arm64
    publish_architecture amd64
    publish_wrapper
    ;;
  layers) publish_layers ;;
  setup)
    aws_run cloudformation deploy --template-file layer/sar/aws-setup.yaml --stack-name "$STACK" \
      --parameter-overrides "BucketName=$BUCKET" "S3Prefix=$PREFIX"
    ;;
  deploy) deploy ;;
  delete) delete_applications ;;
  check) check ;;
esac
