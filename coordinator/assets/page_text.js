'use strict';
// Texts of the status page: numbers, times and elements.
const pageText = (() => {
  const make = (tag, text, className) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const isNumber = (value) => typeof value === 'number';
  const text = (value) => value === null || value === undefined ? '–' : String(value);
  const number = (value) => isNumber(value) ? lineChart.number(value) : '–';
  const grouped = (value) => isNumber(value) ? value.toLocaleString('en').replaceAll(',', '\u202f') : '–';
  const percent = (value) => isNumber(value) ? (100 * value).toFixed(1) : '–';
  const duration = (seconds) => {
    if (!isNumber(seconds)) return '–';
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s`;
    if (s < 172800) return `${Math.floor(s / 3600)} h ${String(Math.floor(s % 3600 / 60)).padStart(2, '0')} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
  };
  const clock = (date) => date.toLocaleTimeString('en-GB');
  const isToday = (date) => date.toDateString() === new Date().toDateString();
  const moment = (date) =>
    isToday(date) ? clock(date) : `${date.toLocaleDateString('en-CA')} ${clock(date)}`;

  return {make, isNumber, text, number, grouped, percent, duration, clock, moment};
})();
