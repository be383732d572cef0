// The status page: asks the server every two seconds, shows what it answers, and says so when no
// answer comes. Texts go into the page as text, never as HTML.
(() => {
  const kNewestEvents = 10, kAskSeconds = 2, kCurveSeconds = 5, kPatienceSeconds = 8, kSlowestSeconds = 30;
  const $ = (id) => document.getElementById(id);
  const {make, isNumber, text, number, grouped, percent, duration, clock, moment} = pageText;

  // Asking. An address with the password in it (http://lacuna:TOKEN@host/) must not be built upon:
  // browsers refuse to fetch from it. They send the password along by themselves.
  const here = location.origin + location.pathname;
  const ask = async (what) => {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), 1000 * kPatienceSeconds);
    try {
      const reply = await fetch(new URL(what, here), {signal: patience.signal, cache: 'no-store'});
      if (!reply.ok) throw new Error(reply.status === 401 ? 'token' : `HTTP ${reply.status}`);
      return await reply.json();
    } finally {
      clearTimeout(timer);
    }
  };

  let answered = null;  // when the last answer came
  let problem = '';     // why there is none now
  let wait = kAskSeconds, curvesAt = 0, curvesStep = null, timer = 0;

  const poll = async () => {
    clearTimeout(timer);
    try {
      const status = await ask('api/status');
      answered = new Date();
      problem = '';
      wait = kAskSeconds;
      show(status);
      const now = Date.now();
      if (status.metrics_step !== curvesStep && now - curvesAt >= 1000 * kCurveSeconds) {
        pageCurves.show(await ask('api/history'));
        curvesStep = status.metrics_step;
        curvesAt = now;
      }
    } catch (error) {
      problem = error.message === 'token' ? 'token' : 'silent';
      wait = Math.min(kSlowestSeconds, 1.5 * wait);
    }
    tellFreshness();
    // A page that nobody looks at does not ask.
    if (!document.hidden) timer = setTimeout(poll, 1000 * wait);
  };
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) poll();
  });

  const tellFreshness = () => {
    const stale = problem !== '';
    document.documentElement.classList.toggle('stale', stale);
    const age = answered ? (Date.now() - answered) / 1000 : null;
    $('fresh').textContent = stale ? 'not live' : answered ? `live · ${clock(answered)}` : 'asking';
    alarm('silent', !stale ? '' : problem === 'token'
      ? 'The token is not valid any more: the run was started again. Reload this page and give the ' +
        'new one, from coordinator.token in the run directory.'
      : `No answer since ${answered ? `${moment(answered)} (${duration(age)})` : 'this page was opened'}. ` +
        'The run has ended, or its host cannot be reached; below is what was known last. ' +
        '“lacuna monitor RUNDIR” says what the files of the run tell.');
  };
  setInterval(tellFreshness, 1000);

  // Alarms are replaced only when their text changes, so that a screen reader says each one once.
  // The age in "no answer since" is left out of that comparison.
  const told = new Map();
  const alarm = (key, message) => {
    const essence = message.replace(/\([^)]*\)/, '');
    let element = told.get(key);
    if (!message) {
      if (element) element.remove();
      told.delete(key);
      return;
    }
    if (element && element.dataset.essence === essence) {
      element.firstChild.nodeValue = message;
      return;
    }
    if (element) element.remove();
    element = make('p', message, 'alarm');
    element.dataset.essence = essence;
    told.set(key, element);
    $('alarms').append(element);
  };

  // Nothing is touched while nothing changes, so that nothing flickers and selections stay.
  const fill = (parent, rows, build) => {
    const before = JSON.stringify(rows);
    if (parent.dataset.rows === before) return;
    parent.dataset.rows = before;
    parent.replaceChildren(...rows.map(build));
  };

  const show = (status) => {
    document.title = `${text(status.run)} ${percent(status.step / status.steps)} %`;
    $('run').textContent = text(status.run);
    const bad = ['lost a rank', 'diverged'].includes(status.state);
    $('what').replaceChildren(`${text(status.method)} `, make('span', text(status.state), bad ? 'state bad' : 'state'));
    alarm('lost', status.lost ? status.lost.reason : '');
    fill($('warnings'), status.warnings, (warning) => make('p', warning, 'warning'));
    showProgress(status);
    showFacts(status);
    showValidation(status);
    showRanks(status.ranks || []);
    showEvents(status.events);
    $('where').textContent = `Run directory ${status.directory}`;
  };

  const showProgress = (status) => {
    const share = status.steps > 0 ? Math.min(1, status.step / status.steps) : 0;
    $('percent').textContent = status.steps > 0 ? `${percent(share)} %` : '–';
    $('position').textContent = `step ${grouped(status.step)} of ${grouped(status.steps)}`;
    const left = status.eta_seconds;
    $('left').textContent = isNumber(left)
      ? `${duration(left)} left, until ${moment(new Date(Date.now() + 1000 * left))}` : '';
    const bar = $('bar');
    bar.setAttribute('aria-valuenow', (100 * share).toFixed(1));
    bar.firstElementChild.style.width = `${100 * share}%`;
    const stages = status.stages || [];
    let done = 0;
    const ends = stages.slice(0, -1).map((stage) => (done += stage.steps) / status.steps);
    fill(bar, [null, ...ends], (end) => {
      if (end === null) return bar.firstElementChild;
      const mark = make('b');
      mark.style.left = `${100 * end}%`;
      return mark;
    });
    $('stages').textContent = stages.length > 1
      ? `Stages: ${stages.map((stage) =>
        `${stage.name}${stage.name === status.stage ? ' (now)' : ''}, ${grouped(stage.steps)} steps`).join(' · ')}`
      : '';
  };

  const showFacts = (status) => {
    const validation = status.validation || {}, checkpoint = status.checkpoint || {};
    const ranks = status.ranks || [], seconds = status.seconds || {};
    const share = (value) => isNumber(value) && seconds.step > 0
      ? `${Math.round(100 * value / seconds.step)}\u00a0%` : '–';
    fill($('facts'), [
      ['Loss', number(status.loss), `step ${grouped(status.metrics_step)}`],
      ['Validation Dice', percent(validation.score), validation.score === undefined ? ''
        : `best ${percent(validation.best_score)} · step ${grouped(validation.step)}`],
      ['Speed', isNumber(status.seconds_per_step) ? `${number(status.seconds_per_step)} s per step` : '–',
        isNumber(status.samples_per_second) ? `${number(status.samples_per_second)} samples/s` : ''],
      ['Of a step', `${share(seconds.forward_backward)} computing`,
        `${share(seconds.data_wait)} waiting for data, ${share(seconds.reduce)} for ranks`],
      ['Checkpoint', checkpoint.step === undefined ? '–' : `step ${grouped(checkpoint.step)}`,
        isNumber(checkpoint.age_seconds) ? `${duration(checkpoint.age_seconds)} ago` : ''],
      ['Ranks', grouped(ranks.length),
        `${ranks.filter((rank) => health(rank) === 'ok').length} ok · ${text(status.restarts)} restarts`],
    ], ([name, value, more]) => {
      const item = make('div');
      const description = make('dd', `${value} `);
      description.append(make('small', more));
      item.append(make('dt', name), description);
      return item;
    });
  };

  const health = (rank) => {
    if (rank.end) return rank.end;
    if (!rank.heard) return 'not heard';
    return rank.heartbeat_age > 5 ? 'silent' : 'ok';
  };

  const showRanks = (ranks) => {
    const trouble = (rank) => ['ok', 'done'].includes(health(rank)) ? 1 : 0;
    const rows = [...ranks].sort((a, b) => trouble(a) - trouble(b) || a.rank - b.rank);
    fill($('ranks').tBodies[0], rows, (rank) => {
      const row = make('tr', undefined, trouble(rank) ? '' : 'bad');
      const cell = (value, className) => row.append(make('td', value, className));
      cell(text(rank.rank));
      cell(text(rank.host));
      cell(text(rank.pid), 'wide');
      cell(grouped(rank.step));
      const whom = typeof rank.waits_for === 'number' ? ' ' + rank.waits_for : '';
      cell(text(rank.activity) + whom, 'text');
      cell(duration(rank.seconds_in_activity), 'wide');
      cell(isNumber(rank.heartbeat_age) ? `${rank.heartbeat_age.toFixed(1)} s` : '–');
      cell(health(rank), 'text');
      return row;
    });
  };

  const kBadEvents = ['checkpoint_failed', 'checkpoint_rejected', 'nonfinite', 'diverged', 'peer_lost'];
  const eventItem = (event) => {
    const item = make('li', undefined, kBadEvents.includes(event.event) ? 'bad' : '');
    const when = new Date(event.time);
    const time = make('time', isNaN(when) ? text(event.time) : moment(when));
    time.dateTime = time.title = text(event.time);
    const rest = Object.entries(event).filter(([key]) => !['event', 'time', 'step'].includes(key))
      .map(([key, value]) => `${key} ${isNumber(value) ? number(value)
        : typeof value === 'string' ? value : JSON.stringify(value)}`);
    item.append(time, make('b', text(event.event).replaceAll('_', ' ')),
      make('span', `step ${grouped(event.step)}`), make('span', rest.join(', '), 'detail'));
    return item;
  };
  const showEvents = (events) => {
    const [newest, older] = document.querySelectorAll('#events ol');
    const all = [...(events || [])].reverse();
    fill(newest, all.slice(0, kNewestEvents), eventItem);
    fill(older, all.slice(kNewestEvents), eventItem);
    older.parentElement.hidden = all.length <= kNewestEvents;
    older.parentElement.firstElementChild.textContent = `${all.length - kNewestEvents} older`;
  };

  // The 15 x 3 table, canonical order: by size, then by the order of the modalities. Shades run from
  // the worst to the best cell.
  const showValidation = (status) => {
    const validation = status.validation;
    const table = validation && validation.table;
    $('validation').hidden = !table;
    if (!table) return;
    $('validation-text').textContent =
      `Dice % at step ${grouped(validation.step)}, mean of ${text(validation.cases)} validation ` +
      `case${validation.cases === 1 ? '' : 's'}: ${percent(validation.score)} over all subsets and regions.`;
    const heat = $('heat');
    const essence = JSON.stringify([validation, status.modalities, status.regions]);
    if (heat.dataset.essence === essence) return;
    heat.dataset.essence = essence;
    const subsets = Object.keys(table);
    const names = status.modalities || [...new Set(subsets.flatMap((subset) => subset.split('+')))];
    const rank = (subset) => {
      const parts = subset.split('+');
      return [parts.length, ...parts.map((part) => names.indexOf(part))];
    };
    subsets.sort((a, b) => {
      const one = rank(a), other = rank(b);
      const at = one.findIndex((value, i) => value !== other[i]);
      return at < 0 ? 0 : one[at] - other[at];
    });
    const regions = status.regions || Object.keys(table[subsets[0]]);
    const cells = subsets.flatMap((subset) => regions.map((region) => table[subset][region])).filter(isNumber);
    const low = Math.min(...cells), high = Math.max(...cells);
    const shade = (value) => high > low ? Math.round(10 * (value - low) / (high - low)) : 0;
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const heading = (label) => {
      const head = make('th', label);
      head.scope = 'col';
      return head;
    };
    const first = make('tr');
    first.append(heading('Available'), ...regions.map(heading), heading('mean'));
    const rows = subsets.map((subset) => {
      const row = make('tr'), head = make('th'), there = subset.split('+');
      head.scope = 'row';
      head.setAttribute('aria-label', there.join(' '));
      head.append(...names.map((name) =>
        there.includes(name) ? make('span', name) : make('span', '·', 'off')));
      row.append(head, ...regions.map((region) => {
        const value = table[subset][region];
        return make('td', percent(value), isNumber(value) ? `h${shade(value)}` : '');
      }), make('td', percent(mean(regions.map((region) => table[subset][region])))));
      return row;
    });
    const last = make('tr'), lastHead = make('th', 'mean');
    lastHead.scope = 'row';
    last.append(lastHead, ...regions.map((region) =>
      make('td', percent(mean(subsets.map((subset) => table[subset][region]))))), make('td', percent(validation.score)));
    const [head, body, foot] = ['thead', 'tbody', 'tfoot'].map((tag) => make(tag));
    head.append(first);
    body.append(...rows);
    foot.append(last);
    heat.replaceChildren(head, body, foot);
  };

  lineChart.followTheme(pageCurves.redraw);
  poll();
})();
