# A function on top of the host's image (layer/container/invoker.Dockerfile); the context is its
# folder.
#
#     docker build -f layer/knative/function.Dockerfile --build-arg BASE=lambda-shell \
#       -t hello-shell fixtures/functions/hello

ARG BASE
FROM ${BASE}
ARG HANDLER=function.handler
COPY . /var/task/
ENV _HANDLER=${HANDLER}
