/** Hosts that need no encryption: a request to them never leaves this machine. */
const LOOPBACK = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/
/** A URL parser mends spaces, backslashes and missing slashes in silence. What it would have to mend is refused. */
const PLAIN = /^https?:\/\/(\[[0-9a-f:.]+\]|[^:[\]/?#@\\\s]+)(?::\d+)?(?:[/?][!"$-[\]-~]*)?$/i

/** May a secret be sent there? `https`, or `http` to loopback, without credentials or fragment. */
export function isEndpointUrl(text: string): boolean {
  const host = PLAIN.exec(text)?.[1]
  const url = URL.parse(text)
  // 0x7f.1 is 127.0.0.1: a host must be what it looks like.
  if (host === undefined || url?.hostname !== host.toLowerCase()) return false
  return url.protocol === 'https:' || isLoopbackHost(url.hostname)
}

export function isLoopbackHost(host: string): boolean {
  return LOOPBACK.test(host)
}

/** Is this such a URL without path, query and trailing slash, spelt as a parser would spell it? */
export function isOrigin(text: string): boolean {
  return isEndpointUrl(text) && new URL(text).origin === text
}
