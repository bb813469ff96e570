import type { DataCentreEntry, ProviderEntry } from './provider-entry.ts'

/**
 * The built-in providers. To add one, copy an entry, and link the provider's own document as its `source`. Where that
 * document does not say, take the careful value: a refresh token that is replaced, and no grace. `revoke_url` is only
 * for endpoints that take the form of RFC 7009 with a refresh token.
 */
export const CATALOGUE: readonly ProviderEntry[] = [
  {
    name: 'zoho',
    client_auth: 'body',
    default_lifetime: 3600,
    rotates: 'never',
    limit: { count: 10, window: 600 },
    default_data_centre: 'us',
    data_centres: [
      ...withSandboxes('us', 'https://accounts.zoho.com', 'https://www.zohoapis.com'),
      ...withSandboxes('eu', 'https://accounts.zoho.eu', 'https://www.zohoapis.eu'),
      ...withSandboxes('in', 'https://accounts.zoho.in', 'https://www.zohoapis.in'),
      ...withSandboxes('cn', 'https://accounts.zoho.com.cn', 'https://www.zohoapis.com.cn'),
      ...withSandboxes('au', 'https://accounts.zoho.com.au', 'https://www.zohoapis.com.au'),
      ...withSandboxes('jp', 'https://accounts.zoho.jp', 'https://www.zohoapis.jp'),
      ...withSandboxes('ca', 'https://accounts.zohocloud.ca', 'https://www.zohoapis.ca'),
      ...withSandboxes('sa', 'https://accounts.zoho.sa', 'https://www.zohoapis.sa'),
      ...withSandboxes('uk', 'https://accounts.zoho.uk', 'https://www.zohoapis.uk'),
      ...withSandboxes('ae', 'https://accounts.zoho.ae', 'https://www.zohoapis.ae'),
    ],
    source: 'https://www.zoho.com/accounts/protocol/oauth/token-limits.html',
  },
  {
    name: 'google',
    token_url: 'https://oauth2.googleapis.com/token',
    revoke_url: 'https://oauth2.googleapis.com/revoke',
    client_auth: 'body',
    default_lifetime: 3600,
    rotates: 'never',
    source: 'https://developers.google.com/identity/protocols/oauth2/web-server',
  },
  {
    // An old refresh token works on until it expires by itself, 24 hours at the earliest. No endpoint of RFC 7009.
    name: 'microsoft',
    token_url: 'https://login.microsoftonline.com/common/oauth2/v2.0/token',
    client_auth: 'body',
    default_lifetime: 3600,
    rotates: 'always',
    reuse_grace: 86_400,
    source: 'https://learn.microsoft.com/en-us/entra/identity-platform/refresh-tokens',
  },
  {
    name: 'github',
    token_url: 'https://github.com/login/oauth/access_token',
    client_auth: 'body',
    default_lifetime: 28_800,
    rotates: 'always',
    reuse_grace: 0,
    source:
      'https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens',
  },
  {
    name: 'hubspot',
    token_url: 'https://api.hubapi.com/oauth/2026-03/token',
    revoke_url: 'https://api.hubapi.com/oauth/2026-03/token/revoke',
    client_auth: 'body',
    default_lifetime: 1800,
    rotates: 'never',
    source: 'https://developers.hubspot.com/docs/api-reference/latest/authentication/manage-oauth-tokens',
  },
  {
    // Answers no expires_in: the life is the session time-out of the organisation, 2 hours unless it chose another.
    // An organisation that turned refresh token rotation on needs an entry of its own with rotates: always.
    name: 'salesforce',
    token_url: 'https://login.salesforce.com/services/oauth2/token',
    revoke_url: 'https://login.salesforce.com/services/oauth2/revoke',
    client_auth: 'body',
    default_lifetime: 7200,
    rotates: 'never',
    source: 'https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_refresh_token_flow.htm',
  },
  {
    name: 'slack',
    token_url: 'https://slack.com/api/oauth.v2.access',
    client_auth: 'basic',
    default_lifetime: 43_200,
    rotates: 'always',
    reuse_grace: 0,
    source: 'https://docs.slack.dev/authentication/using-token-rotation',
  },
  {
    name: 'atlassian',
    token_url: 'https://auth.atlassian.com/oauth/token',
    client_auth: 'body',
    default_lifetime: 3600,
    rotates: 'always',
    reuse_grace: 600,
    source:
      'https://community.developer.atlassian.com/t/the-old-access-token-will-be-revoked-during-the-refresh-token-exchange/83103',
  },
  {
    name: 'xero',
    token_url: 'https://identity.xero.com/connect/token',
    revoke_url: 'https://identity.xero.com/connect/revocation',
    client_auth: 'basic',
    default_lifetime: 1800,
    rotates: 'always',
    reuse_grace: 1800,
    source: 'https://developer.xero.com/faq/oauth2',
  },
  {
    // Its revocation endpoint takes JSON.
    name: 'quickbooks',
    token_url: 'https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer',
    client_auth: 'basic',
    default_lifetime: 3600,
    rotates: 'always',
    reuse_grace: 0,
    source:
      'https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0',
  },
  {
    name: 'gitlab',
    token_url: 'https://gitlab.com/oauth/token',
    revoke_url: 'https://gitlab.com/oauth/revoke',
    client_auth: 'body',
    default_lifetime: 7200,
    rotates: 'always',
    reuse_grace: 0,
    source: 'https://docs.gitlab.com/api/oauth2/',
  },
  {
    name: 'dropbox',
    token_url: 'https://api.dropboxapi.com/oauth2/token',
    client_auth: 'body',
    default_lifetime: 14_400,
    rotates: 'never',
    source: 'https://developers.dropbox.com/oauth-guide',
  },
  {
    name: 'linkedin',
    token_url: 'https://www.linkedin.com/oauth/v2/accessToken',
    client_auth: 'body',
    default_lifetime: 5_184_000,
    rotates: 'never',
    source: 'https://learn.microsoft.com/en-us/linkedin/shared/authentication/programmatic-refresh-tokens',
  },
  {
    name: 'box',
    token_url: 'https://api.box.com/oauth2/token',
    revoke_url: 'https://api.box.com/oauth2/revoke',
    client_auth: 'body',
    default_lifetime: 3600,
    rotates: 'always',
    reuse_grace: 0,
    source: 'https://developer.box.com/guides/authentication/tokens/refresh',
  },
  {
    name: 'asana',
    token_url: 'https://app.asana.com/-/oauth_token',
    revoke_url: 'https://app.asana.com/-/oauth_revoke',
    client_auth: 'body',
    default_lifetime: 3600,
    rotates: 'never',
    source: 'https://developers.asana.com/docs/oauth',
  },
  {
    name: 'zoom',
    token_url: 'https://zoom.us/oauth/token',
    revoke_url: 'https://zoom.us/oauth/revoke',
    client_auth: 'basic',
    default_lifetime: 3600,
    rotates: 'always',
    reuse_grace: 0,
    source: 'https://developers.zoom.us/docs/integrations/oauth/',
  },
  {
    // A revocation ends all tokens that the application has of the user.
    name: 'discord',
    token_url: 'https://discord.com/api/oauth2/token',
    revoke_url: 'https://discord.com/api/oauth2/token/revoke',
    client_auth: 'body',
    default_lifetime: 604_800,
    rotates: 'always',
    reuse_grace: 0,
    source: 'https://discord.com/developers/docs/topics/oauth2',
  },
  {
    name: 'linear',
    token_url: 'https://api.linear.app/oauth/token',
    revoke_url: 'https://api.linear.app/oauth/revoke',
    client_auth: 'body',
    default_lifetime: 86_400,
    rotates: 'always',
    reuse_grace: 0,
    source: 'https://linear.app/developers/oauth-2-0-authentication',
  },
  {
    name: 'x',
    token_url: 'https://api.x.com/2/oauth2/token',
    revoke_url: 'https://api.x.com/2/oauth2/revoke',
    client_auth: 'basic',
    default_lifetime: 7200,
    rotates: 'always',
    reuse_grace: 0,
    source: 'https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token',
  },
  {
    // Its revocation endpoint wants the client in the form, where its token endpoint wants it in the header.
    name: 'calendly',
    token_url: 'https://auth.calendly.com/oauth/token',
    client_auth: 'basic',
    default_lifetime: 7200,
    rotates: 'always',
    reuse_grace: 0,
    source: 'https://developer.calendly.com/refresh-token-rotation-guide',
  },
]

/** A Zoho data centre three times: production, sandbox and developer hosts share the accounts server. */
function withSandboxes(name: string, accountsUrl: string, apiDomain: string): DataCentreEntry[] {
  const entry = (suffix: string, host: string) => ({
    name: `${name}${suffix}`,
    api_domain: apiDomain.replace('//www.', `//${host}.`),
    accounts_url: accountsUrl,
  })
  return [entry('', 'www'), entry('-sandbox', 'sandbox'), entry('-developer', 'developer')]
}
