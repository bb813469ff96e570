import { describe, expect, test } from 'vitest'
import type { Merge } from '../../src/domain/merge.ts'
import { emptyToken, mergeNew, mergeSave } from '../../src/domain/merge.ts'
import { matchSave } from '../../src/domain/save.ts'
import type { SaveWords, TokenWords } from '../support/domain.ts'
import { NOON, ZOHO, candidatesOf, inSeconds, saveOf } from '../support/domain.ts'

const context = { now: NOON, provider: ZOHO, policy: { marginSeconds: 600, random: () => 0 } }

/** Saves upon stored tokens that it matches. */
function saveUpon(save: SaveWords, ...stored: TokenWords[]): Merge {
  const request = saveOf(save)
  const match = matchSave(request, candidatesOf(request, stored))
  if (match === null) throw new Error('the save matches nothing')
  return mergeSave(request, match, context)
}

/** A healthy token with an hour to live, half of it gone. */
const healthy: TokenWords = {
  id: 'a',
  userName: 'ann',
  clientId: 'app',
  clientSecret: 's',
  refreshToken: 'r',
  accessToken: 't',
  scope: 'all',
  expiresAt: inSeconds(1800),
  lifetimeSeconds: 3600,
  refreshDueAt: inSeconds(1200),
  was: ['old r'],
  replaced: ['old t'],
}
const ann = { userName: 'ann', clientId: 'app' }

test('what was lost is replayed when it was to be, whatever access token is saved', () => {
  const lost = { ...healthy, lostAt: inSeconds(-3), refreshDueAt: inSeconds(1) }
  const save = { ...ann, refreshToken: 'r', accessToken: 'other', expiresInSeconds: 3600 }
  expect(saveUpon(save, lost).token).toMatchObject({ lostAt: lost.lostAt, refreshDueAt: lost.refreshDueAt })
  const orphan: TokenWords = { ...lost, userName: null, scope: null }
  const user: TokenWords = { id: 'b', ...ann, refreshDueAt: inSeconds(900) }
  const absorbing = saveUpon({ ...ann, refreshToken: 'r' }, orphan, user).token
  expect(absorbing).toMatchObject({ id: 'b', lostAt: lost.lostAt, refreshDueAt: lost.refreshDueAt })
})

describe('the fields of a save', () => {
  test('overwrite where present and stay where absent', () => {
    const { token } = saveUpon({ ...ann, scope: 'less', redirectUrl: 'https://a.example' }, healthy)
    expect(token).toMatchObject({
      scope: 'less',
      redirectUrl: 'https://a.example',
      expiresAt: inSeconds(1800),
    })
    expect(token.accessToken?.reveal()).toBe('t')
    expect(token.clientSecret?.reveal()).toBe('s')
  })

  test('that change something make one version more, updated now', () => {
    const { token } = saveUpon({ ...ann, scope: 'less' }, { ...healthy, version: 7 })
    expect(token).toMatchObject({ version: 8, updatedAt: NOON })
  })

  test('that change nothing leave the very same token', () => {
    const { token } = saveUpon(
      { ...ann, accessToken: 't', expiresAt: inSeconds(1800) },
      { ...healthy, version: 7 },
    )
    expect(token.version).toBe(7)
  })

  test('do not respell the user', () => {
    expect(saveUpon({ userName: 'ANN', clientId: 'app', scope: 'x' }, healthy).token.userName).toBe('ann')
  })
})

describe('the access token and its expiry', () => {
  test('are one unit: a new access token without an expiry has an unknown one', () => {
    const { token } = saveUpon({ ...ann, accessToken: 'new' }, healthy)
    expect(token).toMatchObject({ expiresAt: null, lifetimeSeconds: 3600 })
  })

  test('stay together where the same access token comes without an expiry', () => {
    expect(saveUpon({ ...ann, accessToken: 't', scope: 'x' }, healthy).token.expiresAt).toEqual(
      inSeconds(1800),
    )
  })

  test('count from now where expires_in is given', () => {
    const { token } = saveUpon({ ...ann, accessToken: 'new', expiresInSeconds: 5000 }, healthy)
    expect(token).toMatchObject({ expiresAt: inSeconds(5000), lifetimeSeconds: 5000 })
  })

  test('keep their life where they are saved again', () => {
    const { token } = saveUpon({ ...ann, accessToken: 't', expiresAt: inSeconds(1800), scope: 'x' }, healthy)
    expect(token.lifetimeSeconds).toBe(3600)
  })
})

describe('a stale save', () => {
  test('does not bring back an access token that expires earlier', () => {
    const { token, ignored } = saveUpon(
      { ...ann, accessToken: 'x', expiresAt: inSeconds(1799), scope: 'new' },
      healthy,
    )
    expect(ignored).toEqual(['access_token'])
    expect(token.accessToken?.reveal()).toBe('t')
    expect(token).toMatchObject({ expiresAt: inSeconds(1800), scope: 'new' })
  })

  test('does not bring back an access token that the vault has replaced', () => {
    const { token, ignored } = saveUpon({ ...ann, accessToken: 'old t', expiresAt: inSeconds(9999) }, healthy)
    expect(ignored).toEqual(['access_token'])
    expect(token.accessToken?.reveal()).toBe('t')
  })

  test('is none where the stored access token has expired', () => {
    const expired = { ...healthy, expiresAt: NOON }
    const { token, ignored } = saveUpon({ ...ann, accessToken: 'old t', expiresAt: inSeconds(-1) }, expired)
    expect(ignored).toEqual([])
    expect(token.accessToken?.reveal()).toBe('old t')
  })

  test('is none where its access token expires later', () => {
    expect(saveUpon({ ...ann, accessToken: 'x', expiresAt: inSeconds(1801) }, healthy).ignored).toEqual([])
  })

  test('does not bring back a refresh token that was replaced while the stored one is healthy', () => {
    const { token, ignored } = saveUpon({ refreshToken: 'old r', scope: 'new' }, healthy)
    expect(ignored).toEqual(['refresh_token'])
    expect(token.refreshToken?.reveal()).toBe('r')
    expect(token.scope).toBe('new')
  })

  test('brings back a refresh token that was replaced where the stored one is dead', () => {
    const { token, ignored } = saveUpon({ refreshToken: 'old r' }, { ...healthy, status: 'reauth_required' })
    expect(ignored).toEqual([])
    expect(token.refreshToken?.reveal()).toBe('old r')
    expect(token.status).toBe('active')
  })

  test('is never one that brings a refresh token new to the vault', () => {
    const save = { ...ann, refreshToken: 'new', accessToken: 'old t', expiresAt: inSeconds(10) }
    const { token, ignored } = saveUpon(save, healthy)
    expect(ignored).toEqual([])
    expect(token.accessToken?.reveal()).toBe('old t')
    expect(token.expiresAt).toEqual(inSeconds(10))
  })
})

describe('a new refresh token', () => {
  const dead: TokenWords = {
    ...healthy,
    status: 'reauth_required',
    lastError: { code: 'reauth_required', detail: 'refused', at: NOON, attempts: 1 },
    refreshDueAt: null,
    renewals: [NOON],
    fence: 3,
    leaseUntil: inSeconds(20),
  }

  test('brings a dead token back to life and schedules it', () => {
    const { token } = saveUpon({ ...ann, refreshToken: 'new' }, dead)
    expect(token).toMatchObject({ status: 'active', lastError: null, refreshDueAt: inSeconds(1200) })
  })

  test('outruns a renewal of the old one that is under way', () => {
    const { token } = saveUpon({ ...ann, refreshToken: 'new' }, dead)
    expect(token).toMatchObject({ fence: 4, leaseUntil: null })
  })

  test("has the provider's whole limit before it", () => {
    expect(saveUpon({ ...ann, refreshToken: 'new' }, dead).token.renewals).toEqual([])
  })

  test('is not what brings the same one again', () => {
    const { token } = saveUpon({ ...ann, refreshToken: 'r', scope: 'x' }, dead)
    expect(token).toMatchObject({ status: 'reauth_required', fence: 3, renewals: [NOON] })
  })
})

test('a save during a renewal leaves its lease, at the end of which the refresher is to look', () => {
  const leased = { ...healthy, leaseUntil: inSeconds(25), fence: 5 }
  const { token } = saveUpon({ ...ann, accessToken: 'new', expiresAt: inSeconds(3600) }, leased)
  expect(token).toMatchObject({ leaseUntil: inSeconds(25), fence: 5, refreshDueAt: inSeconds(25) })
})

describe('an absorbed token', () => {
  const orphan: TokenWords = {
    id: 'b',
    refreshToken: 'orphan r',
    accessToken: 'orphan t',
    apiDomain: 'https://www.zohoapis.eu',
    expiresAt: inSeconds(3000),
    lifetimeSeconds: 3600,
    renewals: [inSeconds(-5)],
    was: ['former r'],
    replaced: ['former t'],
  }

  test('gives its grant, and what the other one does not know', () => {
    const { token } = saveUpon({ ...ann, refreshToken: 'orphan r' }, healthy, orphan)
    expect(token.refreshToken?.reveal()).toBe('orphan r')
    expect(token.accessToken?.reveal()).toBe('orphan t')
    expect(token).toMatchObject({
      id: 'a',
      scope: 'all',
      apiDomain: 'https://www.zohoapis.eu',
      expiresAt: inSeconds(3000),
      refreshDueAt: inSeconds(2400),
    })
  })

  test("gives the renewals that count against the provider's limit", () => {
    const { token } = saveUpon({ ...ann, refreshToken: 'orphan r' }, { ...healthy, renewals: [NOON] }, orphan)
    expect(token.renewals).toEqual([inSeconds(-5)])
  })

  test('ends a renewal of the grant that the other one had', () => {
    const { token } = saveUpon({ ...ann, refreshToken: 'orphan r' }, { ...healthy, fence: 5 }, orphan)
    expect(token).toMatchObject({ fence: 6, leaseUntil: null })
  })

  test('gives a renewal under way, which the refresher looks for when its lease has run out', () => {
    const leased = { ...orphan, leaseUntil: inSeconds(25), lostAt: inSeconds(-60) }
    const { token } = saveUpon({ ...ann, refreshToken: 'orphan r' }, healthy, leased)
    expect(token).toMatchObject({
      leaseUntil: inSeconds(25),
      lostAt: inSeconds(-60),
      refreshDueAt: inSeconds(25),
    })
  })

  test('is not rolled back by the save that absorbs it', () => {
    const save = { ...ann, refreshToken: 'former r', accessToken: 'former t' }
    const { token, ignored } = saveUpon(save, healthy, orphan)
    expect(ignored).toEqual(['refresh_token', 'access_token'])
    expect(token.refreshToken?.reveal()).toBe('orphan r')
    expect(token.accessToken?.reveal()).toBe('orphan t')
  })

  test('leaves the other one its access token where it has none', () => {
    const bare: TokenWords = { id: 'b', refreshToken: 'orphan r' }
    expect(saveUpon({ ...ann, refreshToken: 'orphan r' }, healthy, bare).token.accessToken?.reveal()).toBe(
      't',
    )
  })
})

test('a new token is scheduled from what is left of its life at the save', () => {
  const empty = emptyToken('namespace', 'a', 'zoho', NOON)
  const save = saveOf({ ...ann, refreshToken: 'r', accessToken: 't', expiresAt: inSeconds(1000) })
  expect(mergeNew(save, empty, context)).toMatchObject({
    version: 1,
    lifetimeSeconds: 1000,
    refreshDueAt: inSeconds(800),
  })
})
