# The host as an image: runs shell functions on Knative or any other place that runs containers.
# In Lambda (AWS_LAMBDA_RUNTIME_API is set) the same image is a function's image.
#
#     make dist tool
#     docker build -f layer/container/invoker.Dockerfile -t lambda-shell .

# The layer is unpacked by the computer that builds, so that no architecture needs an emulator.
FROM --platform=${BUILDPLATFORM} public.ecr.aws/docker/library/busybox:1.37 AS layer
ARG TARGETARCH
COPY dist/lambda-shell-runtime-${TARGETARCH}-*.zip /layer.zip
RUN mkdir /layer && unzip -q /layer.zip -d /layer

FROM public.ecr.aws/amazonlinux/amazonlinux:2023-minimal
ARG TARGETARCH
COPY --from=layer /layer/ /opt/
COPY dist/lambda-shell-linux-${TARGETARCH} /usr/local/bin/lambda-shell
# The licences of what is in lambda-shell; those of the layer are in /opt/share/lambda-shell-runtime.
COPY dist/LICENSES.txt /usr/share/lambda-shell-runtime/LICENSES.txt
COPY layer/container/entrypoint.sh /usr/local/bin/entrypoint.sh
ENV LAMBDA_TASK_ROOT=/var/task
ENV PORT=8080
WORKDIR /var/task
# Lambda's own user; it owns nothing here, so a function cannot change the image's files.
USER 993:990
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/entrypoint.sh"]
CMD ["function.handler"]
# Versions with SnapStart may be published, whichever runtime is in the layer.
LABEL com.amazonaws.lambda.feature.snapstart="Allow"
