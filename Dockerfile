# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# What was compiled once stays in the builder's cache, dependencies first of all.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked && cp target/release/opentracker /opentracker

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin opentracker \
    && install -d -o opentracker -g opentracker -m 0700 /data /backups
COPY --from=build /opentracker /usr/local/bin/opentracker
USER opentracker
WORKDIR /data
ENV OPENTRACKER_DATA_DIR=/data \
    OPENTRACKER_SITE__LISTEN=0.0.0.0:3000 \
    OPENTRACKER_ANNOUNCE__LISTEN=0.0.0.0:8080 \
    NO_COLOR=1
VOLUME /data
EXPOSE 3000 8080 8080/udp
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=6 \
    CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:9464/health/live"]
ENTRYPOINT ["opentracker"]
CMD ["serve"]
