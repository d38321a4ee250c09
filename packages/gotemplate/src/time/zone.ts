import { ZONE_ABBREVIATIONS } from './zone-abbreviations.ts'

/** A Go *time.Location: UTC, a fixed offset read from a text, or an IANA zone. */
export type Zone =
  | { readonly kind: 'utc' }
  | { readonly kind: 'fixed'; readonly offsetSeconds: number; readonly name: string }
  | { readonly kind: 'named'; readonly id: string }

export const UTC: Zone = { kind: 'utc' }

/** Go's time.LoadLocation; undefined for a zone nobody knows. */
export function loadZone(id: string): Zone | undefined {
  if (id === '' || id === 'UTC') return UTC
  // Temporal also takes offsets such as "+09:00" and any letter case; Go takes neither.
  if (!/^[A-Z][A-Za-z0-9_+\-/]*$/.test(id)) return undefined
  try {
    new Intl.DateTimeFormat('en', { timeZone: id })
    return { kind: 'named', id }
  } catch {
    return undefined
  }
}

export function zoneAt(
  zone: Zone,
  unixSeconds: number,
): { offsetSeconds: number; abbreviation: string } {
  if (zone.kind === 'utc') return { offsetSeconds: 0, abbreviation: 'UTC' }
  if (zone.kind === 'fixed') {
    const { offsetSeconds, name } = zone
    return { offsetSeconds, abbreviation: name === '' ? fixedName(offsetSeconds) : name }
  }
  const offsetSeconds = offsetAt(zone.id, unixSeconds)
  return { offsetSeconds, abbreviation: abbreviationAt(zone.id, unixSeconds, offsetSeconds) }
}

function offsetAt(id: string, unixSeconds: number): number {
  // Temporal covers ±270,000 years around 1970.
  if (Math.abs(unixSeconds) > 8.64e12) return 0
  const instant = Temporal.Instant.fromEpochMilliseconds(unixSeconds * 1000)
  return Math.round(instant.toZonedDateTimeISO(id).offsetNanoseconds / 1e9)
}

// JavaScript's Intl has abbreviations only in a few locales, and tzdata spells the rest as numbers.
function abbreviationAt(id: string, unixSeconds: number, offsetSeconds: number): string {
  const names = ZONE_ABBREVIATIONS.get(id)
  if (!names) return offsetText(offsetSeconds)
  const [standard, summer] = names
  if (summer === undefined) return standard
  const half = 182 * 86_400
  const other = offsetAt(id, unixSeconds + half)
  const earlier = offsetAt(id, unixSeconds - half)
  return offsetSeconds > Math.min(other, earlier) ? summer : standard
}

/** Go names an offset that it has read by its digits: `+0900`. */
function fixedName(offsetSeconds: number): string {
  return offsetText(offsetSeconds).padEnd(5, '0')
}

/** tzdata's spelling of a nameless zone: `+03`, `-0330`. */
function offsetText(offsetSeconds: number): string {
  const minutes = Math.floor(Math.abs(offsetSeconds) / 60)
  const hours = String(Math.floor(minutes / 60)).padStart(2, '0')
  const rest = minutes % 60 === 0 ? '' : String(minutes % 60).padStart(2, '0')
  return `${offsetSeconds < 0 ? '-' : '+'}${hours}${rest}`
}
