import { generateKeyPairSync, sign } from 'node:crypto'

/** A certificate for 127.0.0.1 and localhost that nobody but the test trusts, without a need for openssl. */
export function selfSigned(): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const body = certificateBody(publicKey.export({ type: 'spki', format: 'der' }))
  const signature = sign('sha256', body, privateKey)
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

function certificateBody(publicKey: Buffer): Buffer {
  const version3 = der(0xa0, der(0x02, Buffer.of(2)))
  const serial = der(0x02, Buffer.of(1))
  const name = sequence(der(0x31, sequence(objectId('550403'), der(0x0c, Buffer.from('test')))))
  const validity = sequence(utcTime('200101000000Z'), utcTime('491231235959Z'))
  const hosts = sequence(der(0x87, Buffer.of(127, 0, 0, 1)), der(0x82, Buffer.from('localhost')))
  const extensions = der(0xa3, sequence(sequence(objectId('551d11'), der(0x04, hosts))))
  return sequence(version3, serial, ecdsaWithSha256, name, validity, name, publicKey, extensions)
}

const utcTime = (text: string) => der(0x17, Buffer.from(text))
