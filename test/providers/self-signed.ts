import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** A private key and its certificate, both PEM. */
export interface Certified {
  key: string
  cert: string
}

/** A certificate for 127.0.0.1 and localhost that nobody but the test trusts, without a need for openssl. */
export const selfSigned = (): Certified => certified({ name: 'test' })

export interface CertificateWish {
  name: string
  /** Who signs it, where it does not do so itself. */
  issuer?: { name: string; key: string }
  isAuthority?: boolean
  isExpired?: boolean
  curve?: string
}

export function certified({
  name,
  issuer,
  isAuthority = false,
  isExpired = false,
  curve = 'P-256',
}: CertificateWish): Certified {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve })
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    ecdsaWithSha256,
    nameOf(issuer?.name ?? name),
    sequence(utcTime('200101000000Z'), utcTime(isExpired ? '210101000000Z' : '491231235959Z')),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(hosts, ...(isAuthority ? [authority] : []))),
  )
  const signature = sign('sha256', body, issuer?.key ?? privateKey)
  const certificate = sequence(body, ecdsaWithSha256, der(0x03, Buffer.of(0), signature))
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
  }
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const sequence = (...parts: Buffer[]) => der(0x30, ...parts)
const objectId = (hex: string) => der(0x06, Buffer.from(hex, 'hex'))
const ecdsaWithSha256 = sequence(objectId('2a8648ce3d040302'))

const nameOf = (name: string) =>
  sequence(der(0x31, sequence(objectId('550403'), der(0x0c, Buffer.from(name)))))
const utcTime = (text: string) => der(0x17, Buffer.from(text))
const hosts = sequence(
  objectId('551d11'),
  der(0x04, sequence(der(0x87, Buffer.of(127, 0, 0, 1)), der(0x82, Buffer.from('localhost')))),
)
const authority = sequence(objectId('551d13'), der(0x04, sequence(der(0x01, Buffer.of(0xff)))))
