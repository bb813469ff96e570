/** Hosts that need no encryption: a request to them never leaves this machine. */
const LOOPBACK = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/
/** A URL parser mends spaces, backslashes and missing slashes in silence. What it would have to mend is refused. */
const PLAIN = /^https?:\/\/[!"$-.0->A-[\]-~]+([/?][!"$-[\]-~]*)?$/

/** May a secret be sent there? `https`, or `http` to loopback, without credentials or fragment. */
export function isEndpointUrl(text: string): boolean {
  if (!PLAIN.test(text)) return false
  const url = URL.parse(text)
  return url !== null && (url.protocol === 'https:' || LOOPBACK.test(url.hostname))
}

/** Is this such a URL without path, query and trailing slash, spelt as a parser would spell it? */
export function isOrigin(text: string): boolean {
  return isEndpointUrl(text) && new URL(text).origin === text
}
