# One recipe, three images:
#   docker build --target cpu  .   hone-server, hone-worker, hone-run, hone with libtorch for CPUs
#   docker build --target cuda .   the same with libtorch's CUDA libraries (the driver is the host's)
# Each stage installs by scripts/setup, as a person's machine does. ARG DEBIAN: bookworm or trixie.
ARG DEBIAN=bookworm

# --- the page -------------------------------------------------------------------------------------
FROM debian:${DEBIAN}-slim AS page
WORKDIR /hone
COPY scripts scripts
COPY web/package.json web/package-lock.json web/
RUN scripts/setup --no-local --no-base --no-torch && rm -rf /var/lib/apt/lists/*
COPY web web
RUN PATH=/hone/.deps/node/bin:$PATH && cd web && npm run build

# --- the programs, for CPUs -----------------------------------------------------------------------
FROM debian:${DEBIAN}-slim AS build
WORKDIR /hone
COPY scripts scripts
# Always the wheel in .deps, so that the image carries one libtorch whatever the distribution has.
RUN scripts/setup --no-local --no-base --no-web --wheel && rm -rf /var/lib/apt/lists/*
COPY . .
ARG REVISION=unknown
ENV HONE_REVISION=${REVISION}
RUN HONE_TORCH=/hone/.deps/torch/torch cmake --preset release -DHONE_TESTS=OFF \
 && cmake --build build/release --target hone hone-server hone-worker hone-run \
 && rm -f .deps/torch/torch/lib/libtorch_python.so \
 && mkdir -p .deps/torch/nvidia

# --- the programs, with CUDA ----------------------------------------------------------------------
FROM debian:${DEBIAN}-slim AS build-cuda
WORKDIR /hone
COPY scripts scripts
RUN scripts/setup --no-local --no-base --no-web --cuda && rm -rf /var/lib/apt/lists/*
COPY . .
ARG REVISION=unknown
ENV HONE_REVISION=${REVISION}
RUN HONE_TORCH=/hone/.deps/torch/torch cmake --preset cuda -DHONE_TESTS=OFF \
 && cmake --build build/cuda --target hone hone-server hone-worker hone-run \
 && rm -f .deps/torch/torch/lib/libtorch_python.so

# --- what runs ------------------------------------------------------------------------------------
FROM debian:${DEBIAN}-slim AS runtime
WORKDIR /hone
COPY scripts scripts
RUN scripts/setup --runtime && rm -rf /var/lib/apt/lists/* scripts \
 && useradd --system --uid 10001 --home-dir /var/lib/hone --create-home hone
COPY --from=page /hone/web/dist /usr/share/hone/web
ENV HONE_HOME=/var/lib/hone HONE_WEB=/usr/share/hone/web PATH=/usr/local/bin:/usr/bin:/bin
USER hone
VOLUME /var/lib/hone

# The programs find libtorch where they were built against it.
FROM runtime AS cpu
COPY --from=build /hone/.deps/torch/torch/lib /hone/.deps/torch/torch/lib
# Where pip offers a CUDA wheel only: the two small libraries that its libtorch_cpu loads.
COPY --from=build /hone/.deps/torch/nvidia /hone/.deps/torch/nvidia
COPY --from=build /hone/build/release/bin/hone /hone/build/release/bin/hone-server /hone/build/release/bin/hone-worker /hone/build/release/bin/hone-run /usr/local/bin/

FROM runtime AS cuda
COPY --from=build-cuda /hone/.deps/torch/torch/lib /hone/.deps/torch/torch/lib
COPY --from=build-cuda /hone/.deps/torch/nvidia /hone/.deps/torch/nvidia
COPY --from=build-cuda /hone/build/cuda/bin/hone /hone/build/cuda/bin/hone-server /hone/build/cuda/bin/hone-worker /hone/build/cuda/bin/hone-run /usr/local/bin/
