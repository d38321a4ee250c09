/** Ages as kubectl prints them (spec cli 3.8; k8s.io/apimachinery: util/duration HumanDuration). @param ms milliseconds */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return joined([minutes, 'm'], [seconds % 60, 's'])
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return joined([hours, 'h'], [minutes % 60, 'm'])
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (days < 8) return joined([days, 'd'], [hours % 24, 'h'])
  if (days < 730) return `${days}d`
  const years = Math.floor(days / 365)
  if (years < 8) return joined([years, 'y'], [days % 365, 'd'])
  return `${years}y`
}

function joined(large: [number, string], small: [number, string]): string {
  return `${large.join('')}${small[0] === 0 ? '' : small.join('')}`
}
