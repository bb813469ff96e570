export type ZohoSdkModule = typeof import('@zohocrm/typescript-sdk-8.0')

/** Zoho's SDKs for JavaScript: one API. */
const SDKS = {
  TypeScript: () => import('@zohocrm/typescript-sdk-8.0'),
  'Node.js': () => import('@zohocrm/nodejs-sdk-8.0'),
}

export type SdkName = keyof typeof SDKS
export const SDK_NAMES = Object.keys(SDKS) as SdkName[]

export const loadSdk = (name: SdkName): Promise<ZohoSdkModule> => SDKS[name]()

/** What an application's configuration says of its token. */
export interface ConfiguredToken {
  id?: string
  user?: string
  clientId?: string
  clientSecret?: string
  grantToken?: string
  refreshToken?: string
}

export type OAuthToken = InstanceType<ZohoSdkModule['OAuthToken']>

export function tokenOf(sdk: ZohoSdkModule, configured: ConfiguredToken): OAuthToken {
  const { id, user, clientId, clientSecret, grantToken, refreshToken } = configured
  const builder = new sdk.OAuthBuilder()
  if (id !== undefined) builder.id(id)
  if (user !== undefined) builder.userSignature(new sdk.UserSignature(user))
  if (clientId !== undefined) builder.clientId(clientId)
  if (clientSecret !== undefined) builder.clientSecret(clientSecret)
  if (grantToken !== undefined) builder.grantToken(grantToken)
  if (refreshToken !== undefined) builder.refreshToken(refreshToken)
  return builder.build()
}
