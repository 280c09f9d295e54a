/* Storefront widget 2: is this shop's plugin on, and for how many days? How to use it: infra/docs/theme.md */
(page => {
  const script = page.currentScript, { merchant, ...set } = script.dataset, key = 'credits:' + merchant
  const number = (text, other) => text >= 0 ? +text : other
  const asks = 'daysLeft' in set
  const tell = (status, reason, source, days) => {
    const shown = page.documentElement.dataset, daysLeft = asks ? days ?? undefined : undefined
    shown.credits = status
    if (daysLeft >= 0) shown.creditsDaysLeft = daysLeft
    else delete shown.creditsDaysLeft
    page.dispatchEvent(new CustomEvent('credits:status', { detail: { merchant, status, reason, source, daysLeft } }))
  }
  const ask = async anew => {
    let kept
    try { kept = JSON.parse(sessionStorage[key]) } catch {}
    const age = (Date.now() - kept?.at) / 1e3, known = age >= 0 && age < number(set.grace, 300)
    if (known && !anew) {
      tell(kept.status, kept.reason, 'session', kept.days)
      if (age < number(set.fresh, 60)) return
    }
    const late = new AbortController, timer = setTimeout(() => late.abort(), number(set.timeout, 1e3))
    try {
      const url = new URL('api/v1/credits/plugin-status/' + merchant + (asks ? '?days_left=1' : ''), script.src)
      const answer = await fetch(url, { signal: late.signal, credentials: 'omit' })
      const { status, reason, days_left: days } = (await answer.json()).data
      if (reason == 'unavailable') throw reason
      try { sessionStorage[key] = JSON.stringify({ status, reason, days, at: Date.now() }) } catch {}
      tell(status, reason, 'network', days)
    } catch {
      if (known) tell(kept.status, kept.reason, 'grace', kept.days)
      else tell(set.onFailure == 'open' ? 'enabled' : 'disabled', 'unavailable', 'failure')
    }
    clearTimeout(timer)
  }
  page.addEventListener('credits:ask', () => ask(1))
  ask()
})(document)
