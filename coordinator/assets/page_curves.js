// The curves of the status page: one chart per group of GET /api/history; diagnostics named "group/name"
// make a chart of their own.
const pageCurves = (() => {
  const {make, number, percent} = pageText;
  const curves = new Map();  // title -> chart and what it shows
  const specs = (history) => {
    const list = [];
    const chart = (title, y, series, more) => {
      if (series && Object.keys(series).length) list.push({title, x: 'step', y, series, legend: false, ...more});
    };
    chart('Loss', 'loss', {...history.loss, ...history.losses}, {logChoice: true});
    chart('Validation', 'Dice', history.validation, {percent: true});
    const groups = {};
    for (const [name, series] of Object.entries(history.diagnostics || {})) {
      const at = name.lastIndexOf('/');
      const group = at < 0 ? 'diagnostics' : name.slice(0, at);
      (groups[group] = groups[group] || {})[name.slice(at + 1)] = series;
    }
    for (const [group, series] of Object.entries(groups)) {
      chart(group === 'importance' ? 'Importance weights' : group, group, series);
    }
    chart('Learning rate', 'learning rate', history.learning_rates);
    chart('Speed', 'samples per second', history.speed);
    return list;
  };

  const show = (history) => {
    const list = specs(history);
    if (list.length && curves.size === 0) document.getElementById('charts').replaceChildren();
    for (const spec of list) {
      if (!curves.has(spec.title)) curves.set(spec.title, addChart(spec.title, spec.logChoice));
      draw(curves.get(spec.title), spec);
    }
  };

  const addChart = (title, logChoice) => {
    const figure = make('figure'), caption = make('figcaption');
    const plot = make('div', undefined, 'plot'), canvas = make('canvas'), legend = make('div', undefined, 'legend');
    const curve = {canvas, legend, hidden: new Set(), log: false};
    caption.append(make('h3', title));
    if (logChoice) {
      const label = make('label'), box = make('input');
      box.type = 'checkbox';
      box.addEventListener('change', () => {
        curve.log = box.checked;
        draw(curve, curve.spec);
      });
      label.append(box, ' logarithmic');
      caption.append(label);
    }
    canvas.setAttribute('role', 'img');
    plot.append(canvas);
    figure.append(caption, plot, legend);
    document.getElementById('charts').append(figure);
    return curve;
  };

  const draw = (curve, spec) => {
    curve.spec = spec;
    const lines = Object.entries(spec.series).map(([label, {step, value}], index) =>
      ({label, colour: index % 8, dashed: index >= 8, points: step.map((x, i) => [x, value[i]])}));
    const shown = lines.filter((line) => !curve.hidden.has(line.label));
    const last = (line) => line.points.length ? line.points[line.points.length - 1][1] : null;
    const value = (y) => y === null ? 'none' : spec.percent ? `${percent(y)} %` : number(y);
    curve.canvas.setAttribute('aria-label', `${spec.title}: ` + lines.map((line) => line.points.length
      ? `${line.label} from ${value(line.points[0][1])} at step ${line.points[0][0]} to ${value(last(line))} ` +
        `at step ${line.points[line.points.length - 1][0]}` : `${line.label} without points`).join('; '));
    const options = lineChart.options({...spec, log: curve.log}, shown, lines);
    const datasets = shown.map((line) => lineChart.dataset(line, spec.percent));
    if (curve.chart) {
      curve.chart.data.datasets = datasets;
      curve.chart.options = options;
      curve.chart.update('none');
    } else {
      curve.chart = new Chart(curve.canvas, {type: 'line', data: {datasets}, options});
    }
    showLegend(curve, lines, (line) => value(last(line)));
  };

  // Buttons, so that lines can be chosen with the keyboard; each with its last value.
  const showLegend = (curve, lines, value) => {
    const buttons = [...curve.legend.children];
    if (buttons.length !== lines.length) {
      curve.legend.replaceChildren(...lines.map((line) => {
        const button = make('button', `${line.label} `, `c${line.colour}`);
        button.type = 'button';
        button.append(make('output'));
        button.addEventListener('click', () => {
          if (!curve.hidden.delete(line.label)) curve.hidden.add(line.label);
          draw(curve, curve.spec);
        });
        return button;
      }));
    }
    lines.forEach((line, i) => {
      const button = curve.legend.children[i];
      button.setAttribute('aria-pressed', String(!curve.hidden.has(line.label)));
      button.lastChild.textContent = value(line);
    });
  };

  const redraw = () => { for (const curve of curves.values()) draw(curve, curve.spec); };
  return {show, redraw};
})();
