import { Secret } from '../domain/secret.ts'
import type { ClientAuth } from './provider-settings.ts'

/** The client that a form is sent for. */
export interface FormClient {
  id: string
  /** Null for a public client. */
  secret: Secret | null
  /** `none`: the provider wants to hear nothing but the form. */
  auth: ClientAuth | 'none'
}

/** A form as it goes over the wire. */
export interface EncodedForm {
  authorization: string | null
  body: string
}

/** The form with its client, whose id and secret go into the header where the provider wants them there. */
export function encodeForm(form: Record<string, string | Secret>, client: FormClient): EncodedForm {
  const body = new URLSearchParams()
  for (const [name, value] of Object.entries(form))
    body.set(name, value instanceof Secret ? value.reveal() : value)
  if (client.auth === 'basic' && client.secret !== null) {
    return { authorization: basicAuth(client.id, client.secret), body: body.toString() }
  }
  if (client.auth === 'none') return { authorization: null, body: body.toString() }
  body.set('client_id', client.id)
  if (client.secret !== null) body.set('client_secret', client.secret.reveal())
  return { authorization: null, body: body.toString() }
}

/** RFC 6749, section 2.3.1: both are form-encoded before they are joined, so that a colon in the id does no harm. */
function basicAuth(id: string, secret: Secret): string {
  const pair = `${formEncoded(id)}:${formEncoded(secret.reveal())}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

const formEncoded = (text: string) => new URLSearchParams([['', text]]).toString().slice(1)
