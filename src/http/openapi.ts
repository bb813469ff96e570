import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyReply, FastifySchema } from 'fastify'
import { PROBLEM_TYPE, Problem } from '../contract/problem.ts'
import type { Scope } from '../domain/caller.ts'
import { sendWholeFiles } from './plugins/page-files.ts'

declare module 'fastify' {
  interface FastifySchema {
    /**
     * Statuses that are answered with a problem document. They are not in `response`: Fastify would make a serialiser
     * for each, and a problem is sent as the text it is.
     */
    problems?: readonly number[]
  }
}

const DESCRIPTION = `Keeps OAuth tokens, encrypted, and renews every access token before it expires.

Send an API key as \`Authorization: Bearer tv_…\`. A field that the key may not see is left out of the answer.
Errors are problem documents (RFC 9457): branch on \`code\`.`

/** Answers with the document. */
export type SendDocument = (reply: FastifyReply) => FastifyReply

/** OpenAPI 3.1 of exactly the routes that are registered after this, and a page to read and try them. */
export async function describeRoutes(app: FastifyInstance, version: string): Promise<SendDocument> {
  // Anybody may ask, however often, and it takes milliseconds to make.
  let document: Buffer | null = null
  const sendDocument: SendDocument = (reply) => {
    document ??= Buffer.from(JSON.stringify(app.swagger()))
    return reply.type('application/json; charset=utf-8').send(document)
  }
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Token vault', version, description: DESCRIPTION, license: { name: 'Apache-2.0' } },
      components: {
        securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', bearerFormat: 'tv_<id>_<secret>' } },
      },
    },
    transform: ({ schema, url, route }) => ({ url, schema: described(schema, route.config?.scope) }),
  })
  app.addHook('onRoute', (route) => {
    if (route.url === '/docs/json') route.handler = (_request, reply) => sendDocument(reply)
    if (route.url === '/docs/static/*') route.onRequest = sendWholeFiles
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    // A vault that serves plain HTTP has no HTTPS to upgrade to: the page would come without its files.
    transformStaticCSP: (policy) => policy.replace('upgrade-insecure-requests;', '').trim(),
    uiConfig: { persistAuthorization: false },
    theme: { title: 'Token vault' },
  })
  return sendDocument
}

/** What every route that needs a key can answer. */
const ALWAYS = [401, 403, 429, 500, 503]
const PROBLEM = { description: 'Problem', content: { [PROBLEM_TYPE]: { schema: Problem } } }

/** With the scope of the route's table, as the security that OpenAPI asks for, and with its problems. */
function described({ problems = [], ...schema }: FastifySchema = {}, scope: Scope | 'public' = 'public') {
  const isPublic = scope === 'public'
  const statuses = isPublic ? problems : [...problems, ...ALWAYS]
  return {
    ...schema,
    response: {
      ...(schema.response ?? {}),
      ...Object.fromEntries(statuses.map((status) => [status, PROBLEM])),
    },
    security: isPublic ? [] : [{ apiKey: [scope] }],
  }
}
