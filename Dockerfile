# syntax=docker/dockerfile:1

FROM rust:1-bookworm AS build
# libclang: pg_query is PostgreSQL's own C grammar, bound at build time; whichever the release has will do
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libclang-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY demo demo
COPY benches benches
RUN cargo build --release --locked --bin rowgate

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin rowgate
COPY --from=build /src/target/release/rowgate /usr/local/bin/rowgate
COPY docker/rowgate.toml /etc/rowgate/rowgate.toml
COPY policies /etc/rowgate/policies
USER 10001
EXPOSE 6432
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/6432"]
ENTRYPOINT ["rowgate"]
CMD ["serve", "--config", "/etc/rowgate/rowgate.toml"]
