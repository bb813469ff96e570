FROM node:24-slim AS manifests
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY clients/typescript/package.json clients/typescript/

# Only what runs: no compiler, no embedded Postgres, no client. None of it needs an install script.
FROM manifests AS dependencies
RUN npm ci --omit=dev --workspaces=false --ignore-scripts

FROM manifests AS build
RUN npm ci --workspaces=false --ignore-scripts
COPY rolldown.config.ts ./
COPY src src
# The link is the program "token-vault", for docker exec and the like: commands do without the service's options of Node.
RUN npx rolldown -c && chmod +x dist/cli.js && mkdir bin && ln -s ../../../app/dist/cli.js bin/token-vault

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080
WORKDIR /app
# The modes are set because the service's user has to read what a careful umask closed on the building machine.
COPY --chmod=755 package.json ./
COPY --chmod=755 migrations migrations
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/bin /usr/local/bin
USER 65532:65532
EXPOSE 8080
# The process lives. That it can serve is /readyz, but to restart it for a lost database would help nobody. Where
# only clients with a certificate are served, that it asks for one is the sign of life.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["node", "-e", "\
  require(process.env.TOKEN_VAULT_TLS_CERT ? 'https' : 'http') \
    .get({ host: '127.0.0.1', port: process.env.PORT || 8080, path: '/healthz', rejectUnauthorized: false }) \
    .on('response', ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)) \
    .on('error', ({ code }) => process.exit(/CERTIFICATE_REQUIRED/.test(code) ? 0 : 1))"]
# SIGUSR1 would open a debugger's port.
ENTRYPOINT ["node", "--disable-sigusr1", "--max-semi-space-size=16", "--max-old-space-size=512", "--v8-pool-size=1", "dist/cli.js"]
