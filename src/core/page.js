// The server decides and renders; this asks it and swaps <main>.
'use strict';
document.documentElement.classList.add('js');
document.addEventListener('DOMContentLoaded', () => {
  const words = document.body.dataset;
  const OPENS = 'form:not(.ask)'; // the form that opens, as against the one that asks
  const byId = (id) => document.getElementById(id);
  const live = byId('live');
  const lost = byId('lost');
  // ms between two looks; a page that is not here is final
  const pauses = {ready: 1000, preparing: 1000, payable: 1000, blocked: 5000, expired: 15000,
    closed: 15000, checking: 10000, down: 5000, in_wechat: 3000, store_down: 5000, tap: 3000,
    elsewhere: 5000};
  let main, self, skew, seen, timer, left;
  let busy = false, tapped = false, fails = 0, opens = 0, openAt = 0;
  // inside WeChat: the buyer's tap is to be followed up; the name of what we say; WeChat's words
  let wanted = false, deal = '', own = '';

  const say = (text) => { live.textContent = text; };
  const part = (selector) => main.querySelector(selector);
  const clock = () => Date.now() + skew;

  const ask = (path, type, more) =>
    fetch(path, Object.assign({cache: 'no-cache', headers: {Accept: type}}, more));

  function load() {
    return ask(self, 'text/html').then((reply) => reply.text()).then((html) => {
      // its style bears a nonce that is not ours
      const bare = html.replace(/<style[^]*?<\/style>/, '');
      const doc = new DOMParser().parseFromString(bare, 'text/html');
      const next = doc.querySelector('main[data-page]');
      if (!next) {
        throw new Error('not our page');
      }
      const focus = main.contains(document.activeElement) && document.activeElement;
      const fresh = document.importNode(next, true);
      const turned = fresh.dataset.page !== main.dataset.page;
      main.replaceWith(fresh);
      document.title = doc.title;
      adopt(fresh);
      const head = part('h1');
      if (focus) {
        (focus.id && byId(focus.id) || head).focus();
      }
      if (turned) {
        say(head.textContent);
      }
      return callUp();
    });
  }

  function look() {
    return ask(self + '/state', 'application/json').then((reply) => {
      return reply.ok ? reply.json() : {};
    }).then((now) => {
      const told = now.state + ' ' + now.rev;
      const known = main.dataset.page + ' ' + main.dataset.rev;
      return told === known || told === seen ? null : load().then(() => {
        seen = now.state && told;
      });
    });
  }

  function post(path, form) {
    return ask(path, 'application/json', {
      method: 'POST',
      body: new URLSearchParams([['csrf', form.elements.csrf.value]]),
    });
  }

  // "I have paid": the server asks the gateway early; what comes of it is seen by looking.
  function askEarly(form) {
    return post(self + '/ask', form).then(look);
  }

  function tellAsked(text, done) {
    const line = byId('asked');
    if (line) {
      line.hidden = false;
      line.textContent = text;
      byId('ask').disabled = !done;
      say(text);
    }
  }

  function askPressed(form) {
    tellAsked(words.asking, false);
    askEarly(form).catch(() => {}).then(() => {
      setTimeout(() => tellAsked(words.notYet, true), 6000);
    });
  }

  // What the form's button does, without leaving the page.
  function open(form) {
    opens += 1;
    openAt = Date.now() + Math.min(120000, 5000 * Math.pow(2, opens));
    return post(self, form).then(load);
  }

  const handed = () => deal === 'confirming' || deal === 'slow';

  function paint() {
    const note = byId('note');
    if (!note) {
      return;
    }
    const button = part(OPENS + ' button');
    const waits = deal === 'calling' || handed();
    note.hidden = !deal;
    note.textContent = words[deal] || '';
    note.className = waits ? 'busy' : 'loud';
    byId('told').hidden = !own;
    byId('told').textContent = own;
    byId('calm').hidden = Boolean(deal);
    part('h1').hidden = handed();
    part('.clock').hidden = handed();
    part(OPENS).hidden = handed() || deal === 'mini';
    part('[data-clip-link]').hidden = deal !== 'mini';
    button.disabled = waits || deal === 'deaf';
    if (deal && !waits) {
      button.textContent = words.again;
    }
    if (handed()) {
      document.title = words.confirming;
    }
  }

  function become(name, text) {
    deal = name;
    own = text || '';
    paint();
    say(words[name] || '');
  }

  function pay(form) {
    if (inMiniProgram()) {
      become('mini');
      return Promise.resolve();
    }
    wanted = true;
    become('calling');
    return open(form).catch((error) => {
      wanted = false;
      become('');
      throw error;
    });
  }

  // The buyer has tapped and the order is open at the gateway now.
  function callUp() {
    if (!wanted || main.dataset.page !== 'tap') {
      return null;
    }
    wanted = false;
    return post(self + '/jsapi', part(OPENS)).then((reply) => {
      return reply.ok ? reply.json() : null;
    }).then((params) => {
      if (!params) {
        become('');
        return load();
      }
      askWeChat(params, () => become('deaf')).then((reply) => {
        const answer = readAnswer(reply);
        become(answer.name, answer.own);
        if (handed()) {
          setTimeout(() => { if (handed()) { become('slow'); } }, 20000);
          setTimeout(() => { if (handed()) { askEarly(part(OPENS)).catch(() => {}); } }, 3000);
          step();
        }
      });
      return null;
    }).catch((error) => {
      become('');
      throw error;
    });
  }

  // Previews, prefetching and tabs that nobody looks at open nothing.
  function isDue() {
    const page = main.dataset.page;
    if (document.hidden || document.prerendering || Date.now() < openAt) {
      return false;
    }
    return page === 'ready' || page === 'down' || (page === 'blocked' && left === 0);
  }

  function step() {
    const form = part(OPENS);
    clearTimeout(timer);
    if (busy || !pauses[main.dataset.page]) {
      return;
    }
    const press = main.dataset.page === 'tap' ? pay : open;
    const work = form && (tapped || isDue()) ? press(form) : look();
    busy = true;
    tapped = false;
    Promise.race([work, new Promise((_, fail) => setTimeout(fail, 15000))]).then(() => {
      fails = 0;
    }, () => {
      fails += 1;
    }).then(() => {
      const button = part(OPENS + ' button');
      busy = false;
      lost.hidden = fails < 2;
      main.classList.toggle('stuck', opens > 1 || fails > 0);
      if (button) {
        button.disabled = tapped;
        paint();
      }
      plan();
    });
  }

  function plan() {
    const calm = handed() ? 1000 : pauses[main.dataset.page];
    const pause = fails ? Math.min(30000, 1000 * Math.pow(2, fails)) : calm;
    const stretch = (document.hidden ? 8 : 1) * (0.9 + Math.random() / 5);
    if (pause) {
      timer = setTimeout(step, tapped ? 0 : pause * stretch);
    }
  }

  function timeWords(sec, loud) {
    const two = (n) => (n < 10 ? '0' : '') + n;
    const min = loud ? Math.floor(sec / 60) : Math.ceil(sec / 60);
    const hours = Math.floor(min / 60);
    if (loud) {
      return (hours ? hours + ':' + two(min % 60) : min) + ':' + two(sec % 60);
    }
    return (hours ? hours + words.hours : '') + (hours && min % 60 ? ' ' : '')
      + (!hours || min % 60 ? min % 60 + words.minutes : '');
  }

  function tick() {
    const line = part('.clock');
    if (!line) {
      left = null;
      return;
    }
    const before = left;
    const loud = clock() >= Number(line.dataset.from);
    left = Math.max(0, Math.ceil((Number(line.dataset.at) - clock()) / 1000));
    const form = loud ? line.dataset.loud : line.dataset.calm;
    const text = form.replace('{}', timeWords(left, loud));
    if (line.textContent !== text) {
      line.textContent = text;
      line.classList.toggle('loud', loud);
    }
    if (before === null || before === left) {
      return;
    }
    if (main.dataset.page === 'payable' || main.dataset.page === 'tap') {
      [[300, words.left5], [60, words.left1], [0, words.left0]].forEach((mark) => {
        if (before > mark[0] && left <= mark[0]) {
          say(mark[1]);
        }
      });
    }
    if (left === 0) {
      step();
    }
  }

  function copy(text) {
    if (navigator.clipboard) {
      return navigator.clipboard.writeText(text);
    }
    const box = document.createElement('textarea');
    box.className = 'vh';
    box.value = text;
    document.body.appendChild(box);
    box.select();
    const done = document.execCommand('copy');
    box.remove();
    return done ? Promise.resolve() : Promise.reject(new Error('no clipboard'));
  }

  function addButton(after, id, label) {
    const button = document.createElement('button');
    button.type = 'button';
    button.id = id;
    button.textContent = label;
    after.appendChild(button);
    return button;
  }

  function addCopy(place, id, label, text) {
    const button = addButton(place, id, label);
    button.addEventListener('click', () => copy(text).then(() => {
      button.textContent = words.copied;
      say(words.copied);
      setTimeout(() => { button.textContent = label; }, 2000);
    }, () => {}));
    return button;
  }

  // Back from the shop (or a reload) shows the receipt and stays there.
  function wasHere() {
    try {
      const mark = 'wxpay ' + self;
      const known = sessionStorage.getItem(mark);
      sessionStorage.setItem(mark, '1');
      return known;
    } catch (error) {
      return null;
    }
  }

  function goOn(link) {
    let rest = 3;
    const line = document.createElement('p');
    const text = document.createElement('span');
    line.className = 'auto';
    line.appendChild(text);
    text.textContent = words.auto.replace('{}', rest);
    const beat = setInterval(() => {
      rest -= document.hidden ? 0 : 1;
      text.textContent = words.auto.replace('{}', rest);
      if (rest <= 0) {
        clearInterval(beat);
        location.assign(link.href);
      }
    }, 1000);
    addButton(line, 'stay', words.stay).addEventListener('click', () => {
      clearInterval(beat);
      line.remove();
      link.focus();
    });
    link.parentNode.after(line);
  }

  function adopt(node) {
    main = node;
    self = main.dataset.self || self || location.pathname;
    skew = Number(main.dataset.now) - Date.now();
    left = null;
    const number = part('[data-clip]');
    const share = part('[data-clip-link]');
    const form = part(OPENS);
    const asks = part('form.ask');
    const back = part('#back');
    if (number) {
      addCopy(number.parentNode, 'copy', words.copy, number.textContent)
        .setAttribute('aria-label', words.copy + ' ' + number.textContent);
    }
    if (share) {
      addCopy(share, 'copy-link', words.link, location.href).className = 'line';
    }
    if (form) {
      form.addEventListener('submit', (event) => {
        event.preventDefault();
        form.querySelector('button').disabled = tapped = true;
        step();
      });
    }
    if (asks) {
      asks.addEventListener('submit', (event) => {
        event.preventDefault();
        askPressed(asks);
      });
    }
    if (['payable', 'tap', 'paid'].includes(main.dataset.page)) {
      opens = 0;
    }
    if (main.dataset.page === 'tap' && inMiniProgram()) {
      deal = 'mini';
    }
    paint();
    if (main.dataset.page === 'down') {
      openAt = Math.max(openAt, Date.now() + 5000);
    }
    if (main.dataset.page === 'paid' && back && !wasHere()) {
      goOn(back);
    }
    tick();
  }

  function wake() {
    if (!document.hidden) {
      step();
    }
  }

  adopt(document.querySelector('main'));
  setInterval(tick, 1000);
  document.addEventListener('visibilitychange', wake);
  document.addEventListener('WeixinJSBridgeReady', () => {
    if (!wanted && !deal && inMiniProgram()) {
      become('mini');
    }
  });
  document.addEventListener('prerenderingchange', wake);
  window.addEventListener('online', wake);
  window.addEventListener('pageshow', (event) => { if (event.persisted) { wake(); } });
  step();
});
