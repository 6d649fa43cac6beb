# One image for every process: web, bot, worker, migrations.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/kapsula
COPY pyproject.toml README.md ./
COPY app app
COPY loyalty loyalty
COPY messaging messaging
COPY bot bot
COPY admin admin
COPY locales locales
RUN /opt/kapsula/bin/pip install --no-cache-dir --disable-pip-version-check .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/kapsula --create-home kapsula
COPY --from=build /opt/kapsula /opt/kapsula
ENV PATH=/opt/kapsula/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    KAPSULA_WEB__HOST=0.0.0.0
USER kapsula
WORKDIR /var/lib/kapsula
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=4s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('KAPSULA_WEB__PORT', '8080') + '/healthz', timeout=3)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["kapsula"]
CMD ["serve", "web"]
