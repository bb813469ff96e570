import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifySchema } from 'fastify'
import type { Scope } from '../domain/caller.ts'

const DESCRIPTION = `Keeps OAuth tokens, encrypted, and renews every access token before it expires.

Send an API key as \`Authorization: Bearer tv_…\`. A field that the key may not see is left out of the answer.
Errors are problem documents (RFC 9457): branch on \`code\`.`

/** OpenAPI 3.1 of exactly the routes that are registered after this, and a page to read and try them. */
export async function describeRoutes(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Token vault', version, description: DESCRIPTION, license: { name: 'Apache-2.0' } },
      components: {
        securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', bearerFormat: 'tv_<id>_<secret>' } },
      },
    },
    transform: ({ schema, url, route }) => ({ url, schema: withSecurity(schema, route.config?.scope) }),
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    // A vault that serves plain HTTP has no HTTPS to upgrade to: the page would come without its files.
    transformStaticCSP: (policy) => policy.replace('upgrade-insecure-requests;', '').trim(),
    uiConfig: { persistAuthorization: false },
    theme: { title: 'Token vault' },
  })
}

/** The scope of the route's table, as the security that OpenAPI asks for. */
function withSecurity(schema: FastifySchema | undefined, scope: Scope | 'public' | undefined): FastifySchema {
  return { ...schema, security: scope === 'public' || scope === undefined ? [] : [{ apiKey: [scope] }] }
}
