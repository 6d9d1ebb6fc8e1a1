FROM python:3.13-slim AS builder
RUN pip install --no-cache-dir "uv>=0.9"
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY archon_ioc archon_ioc
COPY config config
RUN uv build --wheel --out-dir /wheels

FROM python:3.13-slim
LABEL org.opencontainers.image.title="archon-ioc" \
      org.opencontainers.image.description="EPICS IOC and simulator for STA Archon detector controllers" \
      org.opencontainers.image.licenses="BSD-3-Clause"
RUN --mount=type=bind,from=builder,source=/wheels,target=/wheels \
    pip install --no-cache-dir "$(echo /wheels/*.whl)[pva]" \
    && useradd --create-home --uid 1000 archon \
    && install --directory --owner=archon /data
USER archon
# Images and settings go to folders relative to this one.
WORKDIR /data
VOLUME /data
# The prefix is a variable because the health check needs it too.
ENV ARCHON_IOC_PREFIX=ARCHON:
# Channel Access: searches and beacons by UDP, values by TCP.
EXPOSE 5064/tcp 5064/udp 5065/udp
# PVAccess: values by TCP, searches and beacons by UDP.
EXPOSE 5075/tcp 5076/udp
# One read over the loopback interface. The variables are for the check alone: the IOC may be a client elsewhere.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD [ \
    "env", "EPICS_CA_ADDR_LIST=127.0.0.1", "EPICS_CA_AUTO_ADDR_LIST=NO", "python", "-c", \
    "import os; from caproto.sync.client import read; read(os.environ['ARCHON_IOC_PREFIX'] + 'HEARTBEAT', timeout=3, repeater=False)" \
]
ENTRYPOINT ["archon-ioc"]
CMD ["--simulate"]
