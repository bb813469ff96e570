import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { Settings } from './settings.ts'

/** PEM texts; with a client CA only clients with a certificate of it are served. */
export interface Tls {
  cert: string
  key: string
  clientCa: string | null
}

interface PemSetting {
  name: string
  kind: string
  example: string
  /** Throws where the text is no such thing. */
  parse: (pem: string) => unknown
}

/** The first of a file; one behind it that is broken would fail the start later, or quietly not be trusted. */
function parseCertificates(pem: string): X509Certificate {
  for (const one of pem.split(/(?=-----BEGIN CERTIFICATE-----)/).slice(1)) new X509Certificate(one)
  return new X509Certificate(pem)
}

const NEEDED = 'is needed with the other TLS settings'
const CERT: PemSetting = {
  name: 'TOKEN_VAULT_TLS_CERT',
  kind: 'a certificate',
  example: '/tls/tls.crt',
  parse: parseCertificates,
}
const KEY: PemSetting = {
  name: 'TOKEN_VAULT_TLS_KEY',
  kind: 'a private key without a passphrase',
  example: '/tls/tls.key',
  parse: createPrivateKey,
}
const CLIENT_CA: PemSetting = {
  name: 'TOKEN_VAULT_TLS_CLIENT_CA',
  kind: 'a certificate',
  example: '/tls/client-ca.crt',
  parse: parseCertificates,
}

/** Null for plain HTTP. */
export function readTls(settings: Settings): Tls | null {
  const cert = readPem(settings, CERT)
  const key = readPem(settings, KEY)
  const clientCa = readPem(settings, CLIENT_CA)
  if (cert === null && key === null && clientCa === null) return null
  if (cert === null) settings.missing(CERT.name, NEEDED, CERT.example)
  if (key === null) settings.missing(KEY.name, NEEDED, KEY.example)
  if (cert === null || key === null) return null
  if (!parseCertificates(cert).checkPrivateKey(createPrivateKey(key)))
    settings.fault(KEY.name, `is not the key of ${CERT.name}`, KEY.example)
  else checkServes(settings, cert, key)
  return { cert, key, clientCa }
}

/** OpenSSL has rules of its own: a key that is too small, a digest that is too weak. */
function checkServes(settings: Settings, cert: string, key: string): void {
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    const { code = 'no reason given' } = error as NodeJS.ErrnoException
    settings.fault(CERT.name, `OpenSSL does not serve it (${code}): have another one made`, CERT.example)
  }
}

function readPem(settings: Settings, { name, kind, example, parse }: PemSetting): string | null {
  const pem = settings.file(name, example)
  if (pem === null) return null
  try {
    parse(pem)
    return pem
  } catch {
    settings.fault(name, `the file must hold ${kind} in PEM form`, example)
    return null
  }
}
