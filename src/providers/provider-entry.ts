import type { Static } from 'typebox'
import { Type } from 'typebox'
import { LONGEST_LIFE_SECONDS } from './classify-answer.ts'
import { isEndpointUrl, isOrigin } from './endpoint-url.ts'

// Each `description` completes "must be …", each first example "for example …": the faults of a file are told with them.

const LONGEST_TIMEOUT_SECONDS = 300

const Seconds = (minimum: number, maximum: number, example: number) =>
  Type.Integer({
    minimum,
    maximum,
    description: `a whole number of seconds from ${minimum} to ${maximum}`,
    examples: [example],
  })

const Name = (example: string) =>
  Type.String({
    pattern: '^[A-Za-z0-9._:-]{1,128}$',
    description: '1 to 128 of A-Z a-z 0-9 . _ : -',
    examples: [example],
  })

/** What a `format` below stands for. */
export const FORMATS = { 'endpoint-url': isEndpointUrl, origin: isOrigin }

const EndpointUrl = (example: string) =>
  Type.String({
    format: 'endpoint-url' satisfies keyof typeof FORMATS,
    description: 'an https URL (http only to loopback) without credentials or fragment',
    examples: [example],
  })

const Origin = (example: string) =>
  Type.String({
    format: 'origin' satisfies keyof typeof FORMATS,
    description: 'an https origin (http only to loopback) without path or trailing slash',
    examples: [example],
  })

/** A site of a provider that has several: its tokens name it by their API domain. */
export type DataCentreEntry = Static<typeof DataCentreEntry>
export const DataCentreEntry = Type.Object(
  {
    name: Name('eu'),
    api_domain: Origin('https://www.zohoapis.eu'),
    accounts_url: EndpointUrl('https://accounts.zoho.eu'),
  },
  {
    additionalProperties: false,
    description: 'an object with name, api_domain and accounts_url',
    examples: [
      { name: 'eu', api_domain: 'https://www.zohoapis.eu', accounts_url: 'https://accounts.zoho.eu' },
    ],
  },
)

const Limit = Type.Object(
  {
    count: Type.Integer({
      minimum: 1,
      maximum: 1000,
      description: 'a whole number from 1 to 1000',
      examples: [10],
    }),
    window: Seconds(1, LONGEST_LIFE_SECONDS, 600),
  },
  {
    additionalProperties: false,
    description: 'an object with count and window',
    examples: [{ count: 10, window: 600 }],
  },
)

/** A provider as the catalogue and the providers file write it. What is absent takes its default. */
export type ProviderEntry = Static<typeof ProviderEntry>
export const ProviderEntry = Type.Object(
  {
    name: Name('acme'),
    token_url: Type.Optional(EndpointUrl('https://login.acme.example/token')),
    revoke_url: Type.Optional(EndpointUrl('https://login.acme.example/revoke')),
    client_auth: Type.Optional(
      Type.Enum(['body', 'basic'], { description: 'body or basic', examples: ['body'] }),
    ),
    default_lifetime: Type.Optional(Seconds(1, LONGEST_LIFE_SECONDS, 3600)),
    rotates: Type.Optional(
      Type.Enum(['never', 'always'], { description: 'never or always', examples: ['never'] }),
    ),
    reuse_grace: Type.Optional(Seconds(0, LONGEST_LIFE_SECONDS, 0)),
    limit: Type.Optional(Limit),
    min_interval: Type.Optional(Seconds(0, LONGEST_LIFE_SECONDS, 60)),
    timeout: Type.Optional(Seconds(1, LONGEST_TIMEOUT_SECONDS, 10)),
    private_network: Type.Optional(Type.Boolean({ description: 'true or false', examples: [true] })),
    /** The provider's own document that these facts come from. */
    source: Type.Optional(EndpointUrl('https://developer.acme.example/oauth')),
    default_data_centre: Type.Optional(Name('eu')),
    data_centres: Type.Optional(
      Type.Array(DataCentreEntry, {
        description: 'an array of data centres',
        examples: [
          [{ name: 'eu', api_domain: 'https://www.zohoapis.eu', accounts_url: 'https://accounts.zoho.eu' }],
        ],
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'an object that describes a provider',
    examples: [{ name: 'acme', token_url: 'https://login.acme.example/token' }],
  },
)

/** The file's outer shape; its entries are checked one by one, so that each tells its own faults. */
export const ProvidersFile = Type.Object(
  { providers: Type.Array(Type.Unknown(), { description: 'an array of providers', examples: [[]] }) },
  {
    additionalProperties: false,
    description: 'an object with an array of providers',
    examples: [{ providers: [{ name: 'acme', token_url: 'https://login.acme.example/token' }] }],
  },
)
