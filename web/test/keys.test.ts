import {describe, expect, it} from 'vitest';
import {nameOf} from '../src/controllers/keys';
import {nameOfAnswer, ofKey} from '../src/text/answers';

describe('a key press', () => {
  it('is named by its lower-case character, wherever nothing else needs it', () => {
    expect(nameOf({key: '1'}, 'page', false)).toBe('1');
    expect(nameOf({key: 'X'}, 'page', false)).toBe('x');
    expect(nameOf({key: 'ArrowLeft'}, 'control', false)).toBe('ArrowLeft');
  });
  it('is nothing when it repeats, composes, or holds Alt', () => {
    expect(nameOf({key: '1', repeat: true}, 'page', false)).toBeUndefined();
    expect(nameOf({key: '1', isComposing: true}, 'page', false)).toBeUndefined();
    expect(nameOf({key: '1', altKey: true}, 'page', false)).toBeUndefined();
  });
  it('is text inside a text field, where only Escape is for the page', () => {
    expect(nameOf({key: '1'}, 'text', false)).toBeUndefined();
    expect(nameOf({key: 'z', ctrlKey: true}, 'text', false)).toBeUndefined();
    expect(nameOf({key: 'Escape'}, 'text', false)).toBe('Escape');
  });
  it('with Ctrl or Cmd is never a plain answer', () => {
    expect(nameOf({key: '1', ctrlKey: true}, 'page', false)).toBe('ctrl+1');
    expect(ofKey('ctrl+1')).toBeUndefined();
    expect(nameOf({key: 'Z', metaKey: true}, 'page', false)).toBe('ctrl+z');
  });
  it('scrolls, not answers, with arrows inside a scrolling part', () => {
    expect(nameOf({key: 'ArrowDown'}, 'own-arrows', false)).toBeUndefined();
    expect(nameOf({key: '4'}, 'own-arrows', false)).toBe('4');
  });
  it('presses a focused button with Space or Enter', () => {
    expect(nameOf({key: ' '}, 'control', false)).toBeUndefined();
    expect(nameOf({key: 'Enter'}, 'control', false)).toBeUndefined();
  });
  it('answers nothing by single characters when they are switched off', () => {
    expect(nameOf({key: '1'}, 'page', true)).toBeUndefined();
    expect(nameOf({key: 'ArrowLeft'}, 'page', true)).toBe('ArrowLeft');
    expect(nameOf({key: 'z', ctrlKey: true}, 'page', true)).toBe('ctrl+z');
  });
});

describe('an answer', () => {
  it('is physical: 1 is the left side much better, 7 the right side', () => {
    expect(ofKey('1')).toEqual({verdict: 'prefer', strength: 3});
    expect(ofKey('4')).toEqual({verdict: 'tie', strength: 0});
    expect(ofKey('7')).toEqual({verdict: 'prefer', strength: -3});
    expect(ofKey('ArrowLeft')).toEqual({verdict: 'prefer', strength: 2});
    expect(ofKey('ArrowRight')).toEqual({verdict: 'prefer', strength: -2});
    expect(ofKey('ArrowDown')).toEqual({verdict: 'tie', strength: 0});
  });
  it('that both are bad carries no strength, which the server would refuse', () => {
    expect(ofKey('x')).toEqual({verdict: 'both_bad'});
  });
  it('has a name that says which side', () => {
    expect(nameOfAnswer({verdict: 'prefer', strength: -1})).toBe('B slightly better');
    expect(nameOfAnswer({verdict: 'skip', skip_reason: 'unclear'})).toBe('Skipped: the prompt is unclear');
  });
});
