/** RFC 3339 with whole seconds, as metav1.Time prints. */
export function renderTime(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}
