import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { isLoopbackHost } from './endpoint-url.ts'

/** How far the requests to an endpoint may go. */
type Reach = 'loopback' | 'public' | 'private'

/** What is not named is refused: link-local, where clouds keep their credentials, carrier-grade NAT, transition forms. */
const RANGES: Record<Reach, readonly string[]> = {
  loopback: ['loopback'],
  public: ['unicast'],
  private: ['unicast', 'private', 'uniqueLocal'],
}
/** All global unicast of IPv6. Outside of it lie forms that carry an IPv4 address, such as ::7f00:1. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3')

/** A URL of this machine leads to this machine only; any other one to public addresses, or those of the operator. */
export function reachOf(url: URL, privateNetwork: boolean): Reach {
  if (isLoopbackHost(url.hostname)) return 'loopback'
  return privateNetwork ? 'private' : 'public'
}

/** May a connection be opened to this address? */
export function isWithin(reach: Reach, address: string): boolean {
  return isIP(address) !== 0 && RANGES[reach].includes(rangeOf(address))
}

/** False where a URL names an address that is not allowed. What a host resolves to is known only later. */
export function mayBeReached(url: URL, privateNetwork: boolean): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return isIP(host) === 0 || isWithin(reachOf(url, privateNetwork), host)
}

function rangeOf(address: string): string {
  const parsed = ipaddr.parse(address)
  const range = parsed.range()
  if (range !== 'unicast' || parsed instanceof ipaddr.IPv4) return range
  return parsed.match(GLOBAL_IPV6) ? range : 'reserved'
}
