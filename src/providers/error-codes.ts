/** What an error code says of the request that it answers. */
type Verdict = 'dead' | 'client_refused' | 'misconfigured' | 'throttled' | 'unavailable'

/** The error codes of RFC 6749, and what the built-in providers say in their place. In lower case. */
const CODES: Record<Verdict, string[]> = {
  dead: [
    'invalid_grant',
    // Zoho, for a grant token and a refresh token alike.
    'invalid_code',
    // RFC 6750's word for it, which some token endpoints use.
    'invalid_token',
    // GitHub
    'bad_refresh_token',
    'bad_verification_code',
    // Slack
    'invalid_refresh_token',
    'token_revoked',
    'token_expired',
    'account_inactive',
    // Microsoft: the user has to sign in again.
    'interaction_required',
    'consent_required',
    'login_required',
  ],
  client_refused: [
    'invalid_client',
    'unauthorized_client',
    // Zoho
    'invalid_client_secret',
    // GitHub
    'incorrect_client_credentials',
    'application_suspended',
    // Slack, Salesforce
    'invalid_client_id',
    'bad_client_secret',
    // Google
    'deleted_client',
    'disabled_client',
  ],
  misconfigured: [
    'invalid_redirect_uri',
    'invalid_request',
    'invalid_scope',
    'unsupported_grant_type',
    // GitHub
    'redirect_uri_mismatch',
    // Slack, Salesforce
    'bad_redirect_uri',
    'invalid_grant_type',
    // Salesforce
    'inactive_user',
    'inactive_org',
    // Google
    'org_internal',
    'admin_policy_enforced',
    // Microsoft
    'invalid_resource',
  ],
  throttled: [
    // Zoho writes it with a space; access_denied of RFC 6749 is something else.
    'access denied',
    'slow_down',
    'rate_limit_exceeded',
    'too_many_requests',
    // Slack
    'ratelimited',
    'rate_limited',
  ],
  unavailable: [
    'server_error',
    'temporarily_unavailable',
    // Slack
    'internal_error',
    'fatal_error',
    'service_unavailable',
    'request_timeout',
  ],
}

const VERDICTS = new Map(
  (Object.entries(CODES) as [Verdict, string[]][]).flatMap(([verdict, codes]) =>
    codes.map((code) => [code, verdict] as const),
  ),
)

/** Null without a code, and for one that the table does not have: what it means is then anybody's guess. */
export function verdictOf(code: string | null): Verdict | null {
  return VERDICTS.get(code?.toLowerCase() ?? '') ?? null
}

/** A few short words in lower case: of random tokens of 22 characters not one in a hundred million reads so. */
const CODE_LIKE = /^[a-z]{1,16}(_[a-z]{1,16}){0,5}$/

/** The code where the table has it or it looks like one, else the given words of ours: the rest may echo a token. */
export function safeCode(code: string | null, otherwise: string): string {
  return code !== null && (verdictOf(code) !== null || CODE_LIKE.test(code)) ? code : otherwise
}
