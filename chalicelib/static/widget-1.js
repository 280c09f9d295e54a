/* Storefront widget 1: is this shop's plugin on? How to use it: infra/docs/theme.md */
(page => {
  const script = page.currentScript, { merchant, ...set } = script.dataset, key = 'credits:' + merchant
  const number = (text, other) => text >= 0 ? +text : other
  const tell = (status, reason, source) => {
    page.documentElement.dataset.credits = status
    page.dispatchEvent(new CustomEvent('credits:status', { detail: { merchant, status, reason, source } }))
  }
  const ask = async anew => {
    let kept
    try { kept = JSON.parse(sessionStorage[key]) } catch {}
    const age = (Date.now() - kept?.at) / 1e3, known = age >= 0 && age < number(set.grace, 300)
    if (known && !anew) {
      tell(kept.status, kept.reason, 'session')
      if (age < number(set.fresh, 60)) return
    }
    const late = new AbortController, timer = setTimeout(() => late.abort(), number(set.timeout, 1e3))
    try {
      const url = new URL('api/v1/credits/plugin-status/' + merchant, script.src)
      const answer = await fetch(url, { signal: late.signal, credentials: 'omit' })
      const { status, reason } = (await answer.json()).data
      if (reason == 'unavailable') throw reason
      try { sessionStorage[key] = JSON.stringify({ status, reason, at: Date.now() }) } catch {}
      tell(status, reason, 'network')
    } catch {
      if (known) tell(kept.status, kept.reason, 'grace')
      else tell(set.onFailure == 'open' ? 'enabled' : 'disabled', 'unavailable', 'failure')
    }
    clearTimeout(timer)
  }
  page.addEventListener('credits:ask', () => ask(1))
  ask()
})(document)
