#!/bin/sh
# Publishes the image of this folder as a version of a customer-managed runtime, in one Region.
#
#     publish.sh [--promote] [--name NAME] [--image URI] [--share-with ACCOUNT|o-ORGANIZATION]...
#     publish.sh --image-only
#
# --promote          the alias "stable" moves to the version too; without it only "preview" does
# --name             the runtime's name; "shell" unless said otherwise
# --image            REPOSITORY@sha256:… of an image that is in ECR already; without it Docker builds
#                    layer/runtime/Dockerfile for both architectures and pushes it to ECR
# --image-only       stops when the image is in ECR and prints its URI, for publisher.yaml or CDK
# --share-with       puts the runtime's resource policy: exactly these accounts and organizations
# --share-actions    the actions of that policy, with commas between them
#
# Run it again at any time: what is there already is looked at and left as it is.
# LSR_AWS_REGION is the Region (us-east-1), AWS_ACCOUNT_ID the account that must be the credentials'.
# DRY_RUN=1 prints every command of a first run and calls neither AWS nor Docker.
set -eu

cd "$(dirname "$0")/../.."

REGION=${LSR_AWS_REGION:-us-east-1}
DRY_RUN=${DRY_RUN:-0}
RELEASE=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
VERSION=v$RELEASE
REPOSITORY=lambda-shell-runtime
NAME=shell
IMAGE=
IMAGE_ONLY=0
PROMOTE=0
SHARED=
# What AWS's documentation names for reading a shared runtime.
ACTIONS=lambda:GetRuntimeAlias,lambda:GetRuntimeVersion
POLICY_SID=lambda-shell-runtime-publish
# Seconds before a request that AWS has refused for a moment is sent again.
PAUSE=2

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

usage() {
  sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p;}' "$0" >&2
  exit 2
}

if [ "$*" = --image-only ]; then
  IMAGE_ONLY=1
  shift
fi
while [ $# -gt 0 ]; do
  case $1 in
    --promote) PROMOTE=1; shift; continue ;;
    --name | --image | --share-with | --share-actions) [ $# -gt 1 ] || usage ;;
    *) usage ;;
  esac
  case $1 in
    --name) NAME=$2 ;;
    --image) IMAGE=$2 ;;
    --share-actions) ACTIONS=$2 ;;
    --share-with) SHARED="$SHARED $2" ;;
  esac
  shift 2
done

# matches TEXT PATTERN: whether a basic regular expression fits the whole text.
matches() {
  [ "$(printf '%s\n' "$1" | sed -n "/^$2\$/p")" = "$1" ] && [ -n "$1" ]
}

matches "$NAME" '[a-z0-9][a-z0-9_.-]\{0,126\}[a-z0-9]' ||
  fail "--name $NAME: a runtime's name has 2 to 128 of a-z, 0-9, _ . and -, and begins and ends with a letter or digit"
matches "$VERSION" '[A-Za-z0-9_]\([A-Za-z0-9_.-]\{0,126\}[A-Za-z0-9_]\)\{0,1\}' ||
  fail "the version $RELEASE of package.json cannot name a runtime version: use letters, digits, _ . and - only"
for with in $SHARED; do
  matches "$with" '[0-9]\{12\}' || matches "$with" 'o-[a-z0-9]\{10,32\}' ||
    fail "--share-with $with: not an account of 12 digits or an organization such as o-a1b2c3d4e5 (AWS refuses public runtimes)"
done
case $IMAGE in
  '') ;;
  *.dkr.ecr.*@sha256:*) ;;
  *) fail "--image $IMAGE: not an image in ECR with its digest, ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME@sha256:…" ;;
esac
for action in $(printf '%s' "$ACTIONS" | tr ',' ' '); do
  matches "$action" 'lambda:[A-Za-z]\{1,\}' || fail "--share-actions $action: not an action such as lambda:GetRuntimeAlias"
done

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

say() {
  printf '%s\n' "$*" >&2
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ask ARGS: calls aws; the result is in OUT, or else the message in ERROR and the status 1. Too many
# requests are asked again, each time after twice the pause.
ask() {
  tries=1 pause=$PAUSE
  until OUT=$(aws --region "$REGION" "$@" 2> "$scratch/error"); do
    ERROR=$(cat "$scratch/error")
    case $ERROR in
      *TooManyRequestsException* | *ThrottlingException*)
        [ "$tries" -lt 5 ] || return 1
        say "AWS has too many requests; asking again in $pause s"
        sleep "$pause"
        tries=$((tries + 1)) pause=$((pause * 2))
        ;;
      *) return 1 ;;
    esac
  done
}

# change ARGS: prints a command that changes something, and runs it unless this is a dry run. What
# AWS refuses stops here, with what to do.
change() {
  say "+ $(quoted aws --region "$REGION" "$@")"
  if [ "$DRY_RUN" = 1 ]; then
    OUT=
    return
  fi
  ask "$@" || refused "$1 $2"
}

# refused COMMAND: stops with the reason in ERROR.
refused() {
  case $ERROR in
    *ServiceQuotaExceededException*)
      fail "failed to run aws $1: a quota of the account is reached; delete old ones or raise it in Service Quotas: $ERROR" ;;
    *ResourceConflictException*)
      fail "failed to run aws $1: something of this name exists or is changing now; look at it, then run this again: $ERROR" ;;
    *AccessDenied*)
      fail "failed to run aws $1: the credentials lack a permission: $ERROR" ;;
    *) fail "failed to run aws $1: $ERROR" ;;
  esac
}

# exists NOTFOUND ARGS: whether AWS knows it; what it knows is in OUT. Any other response stops here.
exists() {
  missing=$1
  shift
  [ "$DRY_RUN" != 1 ] || return 1
  if ask "$@"; then return 0; fi
  case $ERROR in
    *"$missing"*) return 1 ;;
    *) refused "$1 $2" ;;
  esac
}

# usable KIND STATE SELECTOR: stops unless something that exists can be used or will be soon.
usable() {
  case $2 in
    ACTIVE | CREATING | UPDATING) ;;
    PENDING_DELETION)
      fail "the $1 is scheduled for deletion, and its name stays taken until then; to keep it: aws --region $REGION lambda-core restore-runtime $3" ;;
    *) fail "the $1 cannot be used: its state is $2" ;;
  esac
}

# --- the account, and what the AWS CLI knows -----------------------------------------------------

if [ "$DRY_RUN" = 1 ]; then
  ACCOUNT=${AWS_ACCOUNT_ID:-123456789012} PARTITION=aws
else
  command -v aws > /dev/null || fail 'failed to find aws: install the AWS CLI'
  [ "$IMAGE_ONLY" = 1 ] || aws lambda-core create-runtime --generate-cli-skeleton > /dev/null 2>&1 ||
    fail "this AWS CLI does not know customer-managed runtimes ($(aws --version 2>&1)): install a newer one; \"aws lambda-core create-runtime help\" must work"
  ask sts get-caller-identity --query '[Account, Arn]' --output text ||
    fail "failed to find the account in $REGION: check the credentials (AWS_PROFILE, aws configure): $ERROR"
  ACCOUNT=$(printf '%s' "$OUT" | cut -f 1)
  PARTITION=$(printf '%s' "$OUT" | cut -f 2 | cut -d : -f 2)
  matches "$ACCOUNT" '[0-9]\{12\}' || fail "failed to find the account in $REGION: AWS returned \"$OUT\""
  [ "${AWS_ACCOUNT_ID:-$ACCOUNT}" = "$ACCOUNT" ] ||
    fail "refusing to publish: AWS_ACCOUNT_ID is $AWS_ACCOUNT_ID, but the credentials are of $ACCOUNT"
fi
RUNTIME=arn:$PARTITION:lambda:$REGION:$ACCOUNT:runtime/$NAME

# --- the image -----------------------------------------------------------------------------------

# find_digest: whether the repository has the image of this version, whose digest is then in OUT.
find_digest() {
  exists ImageNotFoundException ecr describe-images --registry-id "$ACCOUNT" \
    --repository-name "$REPOSITORY" --image-ids "imageTag=$VERSION" \
    --query 'imageDetails[0].imageDigest' --output text
}

# docker_run ARGS: prints a command of Docker, and runs it unless this is a dry run.
docker_run() {
  say "+ $(quoted docker "$@")"
  [ "$DRY_RUN" = 1 ] || docker "$@"
}

# push_image URI: builds the image for both architectures and pushes it. Fixed dates, and no
# attestations, so that the same inputs have the same digest and the index has two entries.
push_image() {
  [ "$DRY_RUN" = 1 ] || command -v docker > /dev/null ||
    fail 'failed to find docker: install it with buildx, or name an image in ECR with --image'
  for architecture in arm64 amd64; do
    zip=dist/lambda-shell-runtime-$architecture-$RELEASE.zip
    [ "$DRY_RUN" = 1 ] || [ -s "$zip" ] || fail "failed to find $zip: run \"make dist\" first"
  done
  revision=$(git rev-parse HEAD 2> /dev/null) || revision=unknown
  change ecr get-login-password
  [ "$DRY_RUN" = 1 ] || printf '%s' "$OUT" |
    docker login --username AWS --password-stdin "${1%%/*}" >&2
  docker_run buildx build --file layer/runtime/Dockerfile --platform linux/amd64,linux/arm64 \
    --build-arg SOURCE_DATE_EPOCH=315532800 --build-arg "VERSION=$RELEASE" \
    --build-arg "REVISION=$revision" --build-arg "SOURCE=${HOME_PAGE:-unknown}" \
    --provenance=false --sbom=false \
    --output "type=image,name=$1:$VERSION,push=true,rewrite-timestamp=true" . >&2
}

if [ -z "$IMAGE" ]; then
  if exists RepositoryNotFoundException ecr describe-repositories --registry-id "$ACCOUNT" \
    --repository-names "$REPOSITORY" --query 'repositories[0].repositoryUri' --output text; then
    say "repository $OUT exists"
  else
    change ecr create-repository --registry-id "$ACCOUNT" --repository-name "$REPOSITORY" \
      --image-tag-mutability IMMUTABLE --image-scanning-configuration scanOnPush=true \
      --query repository.repositoryUri --output text
  fi
  URI=${OUT:-$ACCOUNT.dkr.ecr.$REGION.amazonaws.com/$REPOSITORY}
  if find_digest; then
    say "image $URI:$VERSION exists; it is not built again"
  else
    push_image "$URI"
    if [ "$DRY_RUN" = 1 ]; then
      OUT=sha256:DIGEST
    else
      find_digest || fail "failed to find $URI:$VERSION after it was pushed"
    fi
  fi
  IMAGE=$URI@$OUT
fi
if [ "$IMAGE_ONLY" = 1 ]; then
  printf '%s\n' "$IMAGE"
  exit
fi
say "image $IMAGE"

# --- the runtime and its version -----------------------------------------------------------------

if exists ResourceNotFoundException lambda-core get-runtime --runtime-name "$RUNTIME" \
  --query State --output text; then
  usable "runtime $NAME" "$OUT" "--runtime-name $RUNTIME"
  say "runtime $RUNTIME exists"
else
  change lambda-core create-runtime --name "$NAME" \
    --description 'Runs shell functions, with the AWS CLI v2 and jq' \
    --license-info 'Apache-2.0; the licences of all parts are in /usr/share/lambda-shell-runtime' \
    --release-lifecycle ReleaseState=GA
fi

# find_version: whether the runtime has this version; its state and image are then in OUT.
find_version() {
  exists ResourceNotFoundException lambda-core get-runtime-version --runtime-name "$RUNTIME" \
    --name "$VERSION" --query '[State, ResolvedUri]' --output text
}

# same_image URI: stops unless a version was made of our image. AWS resolves it while it makes one.
same_image() {
  case $1 in
    None | *"${IMAGE##*@}") ;;
    *) fail "version $VERSION exists with another image, $1 instead of $IMAGE: versions never change, so raise the version in package.json" ;;
  esac
}

if find_version; then
  say "version $VERSION exists"
else
  set -- lambda-core create-runtime-version --runtime-name "$RUNTIME" --name "$VERSION" \
    --image-uri "$IMAGE" --release-notes "lambda-shell-runtime $RELEASE"
  change "$@" --dry-run
  change "$@"
  OUT="CREATING	None"
fi
state=$(printf '%s' "$OUT" | cut -f 1)
same_image "$(printf '%s' "$OUT" | cut -f 2)"
usable "version $VERSION" "$state" "--runtime-name $RUNTIME --runtime-version $VERSION"
if [ "$state" != ACTIVE ]; then
  set -- lambda-core wait runtime-version-active --runtime-name "$RUNTIME" --name "$VERSION"
  say "+ $(quoted aws --region "$REGION" "$@")"
  if [ "$DRY_RUN" != 1 ]; then
    # The waiter ends with an error for a failed version and for one that takes longer: ask which.
    ask "$@" || :
    find_version || fail "version $VERSION has vanished while AWS made it"
    state=$(printf '%s' "$OUT" | cut -f 1)
    same_image "$(printf '%s' "$OUT" | cut -f 2)"
    case $state in
      ACTIVE) ;;
      CREATING) fail "version $VERSION is not ready yet: run this again in a few minutes" ;;
      *) fail "version $VERSION has the state $state: AWS could not make a runtime of $IMAGE; raise the version in package.json, since the name of a version that is deleted stays taken for 7 days at least" ;;
    esac
  fi
fi

# --- the aliases ---------------------------------------------------------------------------------

# point_alias ALIAS STATE: lets an alias name this version. An update without a life cycle would
# remove the alias's own, so that each alias has its fixed one.
point_alias() {
  verb=create
  if exists ResourceNotFoundException lambda-core get-runtime-alias --runtime-name "$RUNTIME" \
    --name "$1" --query '[State, RuntimeVersion]' --output text; then
    usable "alias $1" "$(printf '%s' "$OUT" | cut -f 1)" "--runtime-name $RUNTIME --runtime-alias $1"
    if [ "$(printf '%s' "$OUT" | cut -f 2)" = "$VERSION" ]; then
      say "alias $1 names $VERSION already"
      return
    fi
    verb=update
  fi
  change lambda-core "$verb-runtime-alias" --runtime-name "$RUNTIME" --name "$1" \
    --runtime-version "$VERSION" --release-lifecycle "ReleaseState=$2"
  change lambda-core wait runtime-alias-active --runtime-name "$RUNTIME" --name "$1"
}

ALIAS=preview
point_alias preview PREVIEW
if [ "$PROMOTE" = 1 ]; then
  ALIAS=stable
  point_alias stable GA
fi

# --- who else may use it -------------------------------------------------------------------------

# json_list WORDS: the words as a JSON list of strings.
json_list() {
  list=
  for word; do list="$list,\"$word\""; done
  printf '[%s]' "${list#,}"
}

share() {
  accounts='' organizations=''
  for with in $SHARED; do
    case $with in
      o-*) organizations="$organizations $with" ;;
      *) accounts="$accounts arn:$PARTITION:iam::$with:root" ;;
    esac
  done
  # shellcheck disable=SC2046,SC2086 # one word each
  rest="\"Effect\":\"Allow\",\"Action\":$(json_list $(printf '%s' "$ACTIONS" | tr ',' ' ')),\"Resource\":[\"$RUNTIME\",\"$RUNTIME/*\"]"
  statements=
  # shellcheck disable=SC2086 # one word each
  [ -z "$accounts" ] ||
    statements="{\"Sid\":\"$POLICY_SID-accounts\",$rest,\"Principal\":{\"AWS\":$(json_list $accounts)}}"
  # shellcheck disable=SC2086 # one word each
  [ -z "$organizations" ] ||
    statements="$statements${statements:+,}{\"Sid\":\"$POLICY_SID-organizations\",$rest,\"Principal\":\"*\",\"Condition\":{\"StringEquals\":{\"aws:PrincipalOrgID\":$(json_list $organizations)}}}"
  policy="{\"Version\":\"2012-10-17\",\"Statement\":[$statements]}"
  set -- --resource-arn "$RUNTIME" --policy "$policy"
  # The call replaces the whole policy: one with somebody else's statements is not touched.
  if exists ResourceNotFoundException lambda get-resource-policy --resource-arn "$RUNTIME" \
    --query '[RevisionId, Policy]' --output text; then
    effects=$(printf '%s' "$OUT" | grep -o '"Effect"' | grep -c .) || :
    ours=$(printf '%s' "$OUT" | grep -o "\"Sid\" *: *\"$POLICY_SID-" | grep -c .) || :
    [ "$effects" = "$ours" ] ||
      fail "the runtime has a policy with other statements than those of publish.sh: change it yourself with aws --region $REGION lambda put-resource-policy"
    set -- "$@" --revision-id "$(printf '%s' "$OUT" | cut -f 1)"
  fi
  change lambda put-resource-policy "$@"
}

[ -z "$SHARED" ] || share

if [ "$DRY_RUN" = 1 ]; then
  say "nothing was published (DRY_RUN=1); a function would use it with these two lines:"
else
  say "published; a function uses it with these two lines:"
fi
printf 'Runtime: custom\n'
printf 'RuntimeConfig: {RuntimeArn: "%s", RuntimeAlias: %s}\n' "$RUNTIME" "$ALIAS"
