import type { LookupAddress, LookupAllOptions } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { createSingleFlight } from '../domain/single-flight.ts'

/** All addresses of a host. */
export type Resolve = (host: string, options: LookupAllOptions) => Promise<LookupAddress[]>

/** A host, or an address in its place, that must not be connected to. */
export class AddressNotAllowedError extends Error {
  readonly host: string
  readonly addresses: readonly string[]

  constructor(host: string, addresses: readonly string[]) {
    super('no address of the host may be connected to')
    this.host = host
    this.addresses = addresses
  }
}

/**
 * A `lookup` for sockets that hands on only the addresses that are allowed. The socket connects to one of those and
 * asks nobody again, so that a name which changes its address in between gains nothing.
 */
export function createCheckedLookup(
  resolve: Resolve,
  isAllowed: (address: string) => boolean,
): LookupFunction {
  const checked = async (host: string, options: LookupAllOptions) => {
    const addresses = await resolve(host, options)
    const allowed = addresses.filter(({ address }) => isAllowed(address))
    const [first] = allowed
    if (first !== undefined) return { first, allowed }
    throw new AddressNotAllowedError(
      host,
      addresses.map(({ address }) => address),
    )
  }
  return (host, options, callback) => {
    checked(host, { ...options, all: true }).then(
      ({ first, allowed }) => {
        if (options.all === true) callback(null, allowed)
        else callback(null, first.address, first.family)
      },
      (error: unknown) => {
        callback(error as NodeJS.ErrnoException, [])
      },
    )
  }
}

/**
 * Looks each host up once at a time. Node has four threads for look-ups: a crowd that waits for one dead name server
 * would hold them all, and every other provider with them.
 */
export function oneAtATime(resolve: Resolve): Resolve {
  const once = createSingleFlight<LookupAddress[]>()
  return (host, options) => once(host, () => resolve(host, options))
}
