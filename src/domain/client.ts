/** A client id with one secret at one provider is not to be used until then. */
export interface ClientPause {
  reason: 'client_refused' | 'mass_failure'
  until: Date
}

/** How many tokens of one client have died within the window, and how many it has: counted no further than needed. */
export interface ClientDeaths {
  died: number
  tokens: number
}

export const DEATHS_WINDOW_SECONDS = 600
/** Deaths are remembered no further. */
export const MOST_DEATHS_KEPT = 1000
const LEAST_DEATHS = 10
const MOST_DEATHS = 1 / 20

/** With this many tokens or more, so many deaths are users who leave, and no failure of their client. */
export const tokensThatBear = (died: number) => died / MOST_DEATHS

/** So many users do not leave at once: the provider, or somebody's settings, must be wrong. */
export function isMassFailure({ died, tokens }: ClientDeaths): boolean {
  return died > MOST_DEATHS_KEPT || (died >= LEAST_DEATHS && tokens < tokensThatBear(died))
}
