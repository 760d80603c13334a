// Keeps the list of nodes up to date while somebody looks, says when the session has ended, and points at the likely
// reason of a lost cookie.
// Every page works without it.
'use strict';

const PERIOD_MS = 1000;
// Who has just pressed a button sees what came of it.
const SOON_MS = 250;

function watchNodes(form) {
  const list = form.querySelector('ul');
  const asked = document.getElementById('asked');
  const ask = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(form.dataset.live, { cache: 'no-store' });
      if (!answer.ok) return;
      const rows = document.createElement('ul');
      // The rows come from this site, which escapes what is in them.
      rows.innerHTML = await answer.text();
      showNodes(list, rows);
      const node = answer.headers.get('x-anynode-node');
      for (const row of list.children) row.classList.toggle('answered', row.dataset.node === node);
      const known = knowledge(answer.headers.get('anynode-session-age'));
      asked.textContent = `Asked again every second; ${node} answered last${known}.`;
    } catch {
      asked.textContent = 'Nobody answers.';
    }
  };
  setTimeout(ask, SOON_MS);
  setInterval(ask, PERIOD_MS);
}

// While no node was replaced only the figures change, so that nobody loses the button they are about to press.
function showNodes(list, rows) {
  const [shown, told] = [[...list.children], [...rows.children]];
  const isSame = (row, other) => other && ['node', 'pid', 'state'].every((of) => row.dataset[of] === other.dataset[of]);
  if (shown.length === told.length && shown.every((row, place) => isSame(row, told[place]))) {
    shown.forEach((row, place) => row.querySelector('.reads').replaceWith(told[place].querySelector('.reads')));
    return;
  }
  const focused = list.contains(document.activeElement) ? document.activeElement.value : null;
  list.replaceChildren(...told);
  const button = focused && list.querySelector(`button[value="${CSS.escape(focused)}"]`);
  if (button) button.focus();
}

// "812; copy": so many microseconds old, and known before this request asked.
function knowledge(header) {
  const [micros, source] = (header || '').split('; ');
  return source === 'copy' ? `, from a copy that was right ${(micros / 1000).toFixed(1)} ms ago` : '';
}

const CAUSES = {
  user: 'you logged out, here or from another of your sessions.',
  admin: 'an administrator ended it.',
  idle: 'nobody used it for a while.',
  absolute: 'it was as old as a session may get.',
  epoch: 'all sessions of yours were ended.',
  rebound: 'somebody has logged in with it since.',
};

// A node that cannot know any more closes the stream, and whoever comes again meets another or is told.
const RETRIES_MAX = 20;
const RETRY_MS = 2000;

function watchSession(live, retries) {
  const events = new EventSource(live.dataset.events);
  events.addEventListener('here', (event) => {
    retries = RETRIES_MAX;
    live.dataset.node = event.data;
    live.textContent = `${event.data} tells this page when your session ends.`;
  });
  events.addEventListener('ended', (event) => {
    if (event.data === 'unknown') return;
    events.close();
    live.dataset.cause = event.data;
    live.className = 'note';
    const again = document.createElement('a');
    again.href = live.dataset.home;
    again.textContent = 'Log in again';
    const why = CAUSES[event.data] || 'it is gone.';
    live.replaceChildren(`Your session has ended: ${why} `, again);
  });
  events.addEventListener('error', () => {
    if (events.readyState !== EventSource.CLOSED || live.dataset.cause || !retries) return;
    // Not all pages at the same time.
    setTimeout(watchSession, RETRY_MS * (1 + Math.random()), live, retries - 1);
  });
}

// navigator.cookieEnabled says nothing of what is blocked for one site.
function keepsCookies() {
  document.cookie = 'cookie-test=1; SameSite=Lax';
  const kept = document.cookie.includes('cookie-test=1');
  document.cookie = 'cookie-test=; SameSite=Lax; Max-Age=0';
  return kept;
}

function explainLostCookie(page) {
  const reason = !keepsCookies() ? 'blocked'
    : location.protocol === 'http:' && !isSecureContext ? 'secure' : null;
  const item = reason && page.querySelector(`[data-reason="${reason}"]`);
  if (item) item.classList.add('likely');
}

const nodes = document.getElementById('nodes');
if (nodes) watchNodes(nodes);
const live = document.getElementById('live');
if (live) watchSession(live, RETRIES_MAX);
const lost = document.getElementById('cookie-missing');
if (lost) explainLostCookie(lost);
