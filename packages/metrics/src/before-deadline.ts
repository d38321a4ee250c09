/**
 * What `call` yields, or a rejection soon after the signal aborts, whether the call heeds it or not. A call that knows
 * more, such as its address, may speak first.
 */
export async function beforeDeadline<T>(signal: AbortSignal, call: Promise<T>): Promise<T> {
  const over = new AbortController()
  const late = new Promise<never>((_, reject) => {
    const onAbort = () => setImmediate(reject, new Error('context deadline exceeded'))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { signal: over.signal })
  })
  try {
    return await Promise.race([call, late])
  } finally {
    over.abort()
  }
}
