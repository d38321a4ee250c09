/** Parts of a UTC date from epoch seconds; fractions are cut off towards zero. NaN stays NaN. */
export interface CalendarDate {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly dayOfYear: number
  /** 0 is Sunday. */
  readonly dayOfWeek: number
  readonly daysInMonth: number
  readonly hour: number
  readonly minute: number
}

const DAY = 86_400

/** Day arithmetic on the proleptic Gregorian calendar, in eras of 400 years: good for any sample value, unlike `Date`. */
export function calendarDate(epochSeconds: number): CalendarDate {
  const seconds = Math.trunc(epochSeconds)
  const days = Math.floor(seconds / DAY)
  const ofDay = seconds - days * DAY
  // Counted from 0000-03-01, so that the leap day ends its year.
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayFromMarch =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayFromMarch + 2) / 153)
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return {
    year,
    month,
    day: dayFromMarch - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
    dayOfYear: month > 2 ? dayFromMarch + 60 + (leap ? 1 : 0) : dayFromMarch - 305,
    dayOfWeek: (((days + 4) % 7) + 7) % 7,
    daysInMonth: month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31,
    hour: Math.floor(ofDay / 3600),
    minute: Math.floor((ofDay % 3600) / 60),
  }
}
