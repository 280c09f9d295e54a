"use strict";
const m = {};
m["preact.js"] = (() => {
var e,n,_,t,o,r,u,l={},i=[],c=/acit|ex(?:s|g|n|p|$)|rph|grid|ows|mnc|ntw|ine[ch]|zoo|^ord|itera/i;function s(e,n){for(var _ in n)e[_]=n[_];return e}function f(e){var n=e.parentNode;n&&n.removeChild(e)}function a(n,_,t){var o,r,u,l={};for(u in _)"key"==u?o=_[u]:"ref"==u?r=_[u]:l[u]=_[u];if(arguments.length>2&&(l.children=arguments.length>3?e.call(arguments,2):t),"function"==typeof n&&null!=n.defaultProps)for(u in n.defaultProps)void 0===l[u]&&(l[u]=n.defaultProps[u]);return p(n,l,o,r,null)}function p(e,t,o,r,u){var l={type:e,props:t,key:o,ref:r,__k:null,__:null,__b:0,__e:null,__d:void 0,__c:null,__h:null,constructor:void 0,__v:null==u?++_:u};return null!=n.vnode&&n.vnode(l),l}function h(e){return e.children}function d(e,n){this.props=e,this.context=n}function v(e,n){if(null==n)return e.__?v(e.__,e.__.__k.indexOf(e)+1):null;for(var _;n<e.__k.length;n++)if(null!=(_=e.__k[n])&&null!=_.__e)return _.__e;return"function"==typeof e.type?v(e):null}function y(e){var n,_;if(null!=(e=e.__)&&null!=e.__c){for(e.__e=e.__c.base=null,n=0;n<e.__k.length;n++)if(null!=(_=e.__k[n])&&null!=_.__e){e.__e=e.__c.base=_.__e;break}return y(e)}}function m(e){(!e.__d&&(e.__d=!0)&&t.push(e)&&!g.__r++||r!==n.debounceRendering)&&((r=n.debounceRendering)||o)(g)}function g(){for(var e;g.__r=t.length;)e=t.sort(function(e,n){return e.__v.__b-n.__v.__b}),t=[],e.some(function(e){var n,_,t,o,r,u;e.__d&&(r=(o=(n=e).__v).__e,(u=n.__P)&&(_=[],(t=s({},o)).__v=o.__v+1,P(u,o,t,n.__n,void 0!==u.ownerSVGElement,null!=o.__h?[r]:null,_,null==r?v(o):r,o.__h),D(_,o),o.__e!=r&&y(o)))})}function k(e,n,_,t,o,r,u,c,s,f){var a,d,y,m,g,k,x,H=t&&t.__k||i,E=H.length;for(_.__k=[],a=0;a<n.length;a++)if(null!=(m=_.__k[a]=null==(m=n[a])||"boolean"==typeof m?null:"string"==typeof m||"number"==typeof m||"bigint"==typeof m?p(null,m,null,null,m):Array.isArray(m)?p(h,{children:m},null,null,null):m.__b>0?p(m.type,m.props,m.key,null,m.__v):m)){if(m.__=_,m.__b=_.__b+1,null===(y=H[a])||y&&m.key==y.key&&m.type===y.type)H[a]=void 0;else for(d=0;d<E;d++){if((y=H[d])&&m.key==y.key&&m.type===y.type){H[d]=void 0;break}y=null}P(e,m,y=y||l,o,r,u,c,s,f),g=m.__e,(d=m.ref)&&y.ref!=d&&(x||(x=[]),y.ref&&x.push(y.ref,null,m),x.push(d,m.__c||g,m)),null!=g?(null==k&&(k=g),"function"==typeof m.type&&null!=m.__k&&m.__k===y.__k?m.__d=s=b(m,s,e):s=C(e,m,y,H,g,s),f||"option"!==_.type?"function"==typeof _.type&&(_.__d=s):e.value=""):s&&y.__e==s&&s.parentNode!=e&&(s=v(y))}for(_.__e=k,a=E;a--;)null!=H[a]&&("function"==typeof _.type&&null!=H[a].__e&&H[a].__e==_.__d&&(_.__d=v(t,a+1)),U(H[a],H[a]));if(x)for(a=0;a<x.length;a++)T(x[a],x[++a],x[++a])}function b(e,n,_){var t,o;for(t=0;t<e.__k.length;t++)(o=e.__k[t])&&(o.__=e,n="function"==typeof o.type?b(o,n,_):C(_,o,o,e.__k,o.__e,n));return n}function C(e,n,_,t,o,r){var u,l,i;if(void 0!==n.__d)u=n.__d,n.__d=void 0;else if(null==_||o!=r||null==o.parentNode)e:if(null==r||r.parentNode!==e)e.appendChild(o),u=null;else{for(l=r,i=0;(l=l.nextSibling)&&i<t.length;i+=2)if(l==o)break e;e.insertBefore(o,r),u=r}return void 0!==u?u:o.nextSibling}function x(e,n,_){"-"===n[0]?e.setProperty(n,_):e[n]=null==_?"":"number"!=typeof _||c.test(n)?_:_+"px"}function H(e,n,_,t,o){var r;e:if("style"===n)if("string"==typeof _)e.style.cssText=_;else{if("string"==typeof t&&(e.style.cssText=t=""),t)for(n in t)_&&n in _||x(e.style,n,"");if(_)for(n in _)t&&_[n]===t[n]||x(e.style,n,_[n])}else if("o"===n[0]&&"n"===n[1])r=n!==(n=n.replace(/Capture$/,"")),n=n.toLowerCase()in e?n.toLowerCase().slice(2):n.slice(2),e.l||(e.l={}),e.l[n+r]=_,_?t||e.addEventListener(n,r?S:E,r):e.removeEventListener(n,r?S:E,r);else if("dangerouslySetInnerHTML"!==n){if(o)n=n.replace(/xlink[H:h]/,"h").replace(/sName$/,"s");else if("href"!==n&&"list"!==n&&"form"!==n&&"tabIndex"!==n&&"download"!==n&&n in e)try{e[n]=null==_?"":_;break e}catch(e){}"function"==typeof _||(null!=_&&(!1!==_||"a"===n[0]&&"r"===n[1])?e.setAttribute(n,_):e.removeAttribute(n))}}function E(e){this.l[e.type+!1](n.event?n.event(e):e)}function S(e){this.l[e.type+!0](n.event?n.event(e):e)}function P(e,_,t,o,r,u,l,i,c){var f,a,p,v,y,m,g,b,C,x,H,E=_.type;if(void 0!==_.constructor)return null;null!=t.__h&&(c=t.__h,i=_.__e=t.__e,_.__h=null,u=[i]),(f=n.__b)&&f(_);try{e:if("function"==typeof E){if(b=_.props,C=(f=E.contextType)&&o[f.__c],x=f?C?C.props.value:f.__:o,t.__c?g=(a=_.__c=t.__c).__=a.__E:("prototype"in E&&E.prototype.render?_.__c=a=new E(b,x):(_.__c=a=new d(b,x),a.constructor=E,a.render=A),C&&C.sub(a),a.props=b,a.state||(a.state={}),a.context=x,a.__n=o,p=a.__d=!0,a.__h=[]),null==a.__s&&(a.__s=a.state),null!=E.getDerivedStateFromProps&&(a.__s==a.state&&(a.__s=s({},a.__s)),s(a.__s,E.getDerivedStateFromProps(b,a.__s))),v=a.props,y=a.state,p)null==E.getDerivedStateFromProps&&null!=a.componentWillMount&&a.componentWillMount(),null!=a.componentDidMount&&a.__h.push(a.componentDidMount);else{if(null==E.getDerivedStateFromProps&&b!==v&&null!=a.componentWillReceiveProps&&a.componentWillReceiveProps(b,x),!a.__e&&null!=a.shouldComponentUpdate&&!1===a.shouldComponentUpdate(b,a.__s,x)||_.__v===t.__v){a.props=b,a.state=a.__s,_.__v!==t.__v&&(a.__d=!1),a.__v=_,_.__e=t.__e,_.__k=t.__k,_.__k.forEach(function(e){e&&(e.__=_)}),a.__h.length&&l.push(a);break e}null!=a.componentWillUpdate&&a.componentWillUpdate(b,a.__s,x),null!=a.componentDidUpdate&&a.__h.push(function(){a.componentDidUpdate(v,y,m)})}a.context=x,a.props=b,a.state=a.__s,(f=n.__r)&&f(_),a.__d=!1,a.__v=_,a.__P=e,f=a.render(a.props,a.state,a.context),a.state=a.__s,null!=a.getChildContext&&(o=s(s({},o),a.getChildContext())),p||null==a.getSnapshotBeforeUpdate||(m=a.getSnapshotBeforeUpdate(v,y)),H=null!=f&&f.type===h&&null==f.key?f.props.children:f,k(e,Array.isArray(H)?H:[H],_,t,o,r,u,l,i,c),a.base=_.__e,_.__h=null,a.__h.length&&l.push(a),g&&(a.__E=a.__=null),a.__e=!1}else null==u&&_.__v===t.__v?(_.__k=t.__k,_.__e=t.__e):_.__e=w(t.__e,_,t,o,r,u,l,c);(f=n.diffed)&&f(_)}catch(e){_.__v=null,(c||null!=u)&&(_.__e=i,_.__h=!!c,u[u.indexOf(i)]=null),n.__e(e,_,t)}}function D(e,_){n.__c&&n.__c(_,e),e.some(function(_){try{e=_.__h,_.__h=[],e.some(function(e){e.call(_)})}catch(e){n.__e(e,_.__v)}})}function w(n,_,t,o,r,u,i,c){var s,a,p,h=t.props,d=_.props,y=_.type,m=0;if("svg"===y&&(r=!0),null!=u)for(;m<u.length;m++)if((s=u[m])&&(s===n||(y?s.localName==y:3==s.nodeType))){n=s,u[m]=null;break}if(null==n){if(null===y)return document.createTextNode(d);n=r?document.createElementNS("http://www.w3.org/2000/svg",y):document.createElement(y,d.is&&d),u=null,c=!1}if(null===y)h===d||c&&n.data===d||(n.data=d);else{if(u=u&&e.call(n.childNodes),a=(h=t.props||l).dangerouslySetInnerHTML,p=d.dangerouslySetInnerHTML,!c){if(null!=u)for(h={},m=0;m<n.attributes.length;m++)h[n.attributes[m].name]=n.attributes[m].value;(p||a)&&(p&&(a&&p.__html==a.__html||p.__html===n.innerHTML)||(n.innerHTML=p&&p.__html||""))}if(function(e,n,_,t,o){var r;for(r in _)"children"===r||"key"===r||r in n||H(e,r,null,_[r],t);for(r in n)o&&"function"!=typeof n[r]||"children"===r||"key"===r||"value"===r||"checked"===r||_[r]===n[r]||H(e,r,n[r],_[r],t)}(n,d,h,r,c),p)_.__k=[];else if(m=_.props.children,k(n,Array.isArray(m)?m:[m],_,t,o,r&&"foreignObject"!==y,u,i,u?u[0]:t.__k&&v(t,0),c),null!=u)for(m=u.length;m--;)null!=u[m]&&f(u[m]);c||("value"in d&&void 0!==(m=d.value)&&(m!==n.value||"progress"===y&&!m)&&H(n,"value",m,h.value,!1),"checked"in d&&void 0!==(m=d.checked)&&m!==n.checked&&H(n,"checked",m,h.checked,!1))}return n}function T(e,_,t){try{"function"==typeof e?e(_):e.current=_}catch(e){n.__e(e,t)}}function U(e,_,t){var o,r;if(n.unmount&&n.unmount(e),(o=e.ref)&&(o.current&&o.current!==e.__e||T(o,null,_)),null!=(o=e.__c)){if(o.componentWillUnmount)try{o.componentWillUnmount()}catch(e){n.__e(e,_)}o.base=o.__P=null}if(o=e.__k)for(r=0;r<o.length;r++)o[r]&&U(o[r],_,"function"!=typeof e.type);t||null==e.__e||f(e.__e),e.__e=e.__d=void 0}function A(e,n,_){return this.constructor(e,_)}function M(_,t,o){var r,u,i;n.__&&n.__(_,t),u=(r="function"==typeof o)?null:o&&o.__k||t.__k,i=[],P(t,_=(!r&&o||t).__k=a(h,null,[_]),u||l,l,void 0!==t.ownerSVGElement,!r&&o?[o]:u?null:t.firstChild?e.call(t.childNodes):null,i,!r&&o?o:u?u.__e:t.firstChild,r),D(i,_)}function F(e,n){var _={__c:n="__cC"+u++,__:e,Consumer:function(e,n){return e.children(n)},Provider:function(e){var _,t;return this.getChildContext||(_=[],(t={})[n]=this,this.getChildContext=function(){return t},this.shouldComponentUpdate=function(e){this.props.value!==e.value&&_.some(m)},this.sub=function(e){_.push(e);var n=e.componentWillUnmount;e.componentWillUnmount=function(){_.splice(_.indexOf(e),1),n&&n.call(e)}}),e.children}};return _.Provider.__=_.Consumer.contextType=_}e=i.slice,n={__e:function(e,n){for(var _,t,o;n=n.__;)if((_=n.__c)&&!_.__)try{if((t=_.constructor)&&null!=t.getDerivedStateFromError&&(_.setState(t.getDerivedStateFromError(e)),o=_.__d),null!=_.componentDidCatch&&(_.componentDidCatch(e),o=_.__d),o)return _.__E=_}catch(n){e=n}throw e}},_=0,d.prototype.setState=function(e,n){var _;_=null!=this.__s&&this.__s!==this.state?this.__s:this.__s=s({},this.state),"function"==typeof e&&(e=e(s({},_),this.props)),e&&s(_,e),null!=e&&this.__v&&(n&&this.__h.push(n),m(this))},d.prototype.forceUpdate=function(e){this.__v&&(this.__e=!0,e&&this.__h.push(e),m(this))},d.prototype.render=h,t=[],o="function"==typeof Promise?Promise.prototype.then.bind(Promise.resolve()):setTimeout,g.__r=0,u=0;var L,N,W,R=0,I=[],O=n.__b,V=n.__r,q=n.diffed,B=n.__c,$=n.unmount;function j(e,_){n.__h&&n.__h(N,e,R||_),R=0;var t=N.__H||(N.__H={__:[],__h:[]});return e>=t.__.length&&t.__.push({}),t.__[e]}function G(e){return R=1,z(ie,e)}function z(e,n,_){var t=j(L++,2);return t.t=e,t.__c||(t.__=[_?_(n):ie(void 0,n),function(e){var n=t.t(t.__[0],e);t.__[0]!==n&&(t.__=[n,t.__[1]],t.__c.setState({}))}],t.__c=N),t.__}function J(e,_){var t=j(L++,3);!n.__s&&le(t.__H,_)&&(t.__=e,t.__H=_,N.__H.__h.push(t))}function K(e,_){var t=j(L++,4);!n.__s&&le(t.__H,_)&&(t.__=e,t.__H=_,N.__h.push(t))}function Q(e){return R=5,Y(function(){return{current:e}},[])}function X(e,n,_){R=6,K(function(){"function"==typeof e?e(n()):e&&(e.current=n())},null==_?_:_.concat(e))}function Y(e,n){var _=j(L++,7);return le(_.__H,n)&&(_.__=e(),_.__H=n,_.__h=e),_.__}function Z(e,n){return R=8,Y(function(){return e},n)}function ee(e){var n=N.context[e.__c],_=j(L++,9);return _.c=e,n?(null==_.__&&(_.__=!0,n.sub(N)),n.props.value):e.__}function ne(e,_){n.useDebugValue&&n.useDebugValue(_?_(e):e)}function _e(e){var n=j(L++,10),_=G();return n.__=e,N.componentDidCatch||(N.componentDidCatch=function(e){n.__&&n.__(e),_[1](e)}),[_[0],function(){_[1](void 0)}]}function te(){I.forEach(function(e){if(e.__P)try{e.__H.__h.forEach(re),e.__H.__h.forEach(ue),e.__H.__h=[]}catch(_){e.__H.__h=[],n.__e(_,e.__v)}}),I=[]}n.__b=function(e){N=null,O&&O(e)},n.__r=function(e){V&&V(e),L=0;var n=(N=e.__c).__H;n&&(n.__h.forEach(re),n.__h.forEach(ue),n.__h=[])},n.diffed=function(e){q&&q(e);var _=e.__c;_&&_.__H&&_.__H.__h.length&&(1!==I.push(_)&&W===n.requestAnimationFrame||((W=n.requestAnimationFrame)||function(e){var n,_=function(){clearTimeout(t),oe&&cancelAnimationFrame(n),setTimeout(e)},t=setTimeout(_,100);oe&&(n=requestAnimationFrame(_))})(te)),N=void 0},n.__c=function(e,_){_.some(function(e){try{e.__h.forEach(re),e.__h=e.__h.filter(function(e){return!e.__||ue(e)})}catch(t){_.some(function(e){e.__h&&(e.__h=[])}),_=[],n.__e(t,e.__v)}}),B&&B(e,_)},n.unmount=function(e){$&&$(e);var _=e.__c;if(_&&_.__H)try{_.__H.__.forEach(re)}catch(e){n.__e(e,_.__v)}};var oe="function"==typeof requestAnimationFrame;function re(e){var n=N;"function"==typeof e.__c&&e.__c(),N=n}function ue(e){var n=N;e.__c=e.__(),N=n}function le(e,n){return!e||e.length!==n.length||n.some(function(n,_){return n!==e[_]})}function ie(e,n){return"function"==typeof n?n(e):n}var ce=function(e,n,_,t){var o;n[0]=0;for(var r=1;r<n.length;r++){var u=n[r++],l=n[r]?(n[0]|=u?1:2,_[n[r++]]):n[++r];3===u?t[0]=l:4===u?t[1]=Object.assign(t[1]||{},l):5===u?(t[1]=t[1]||{})[n[++r]]=l:6===u?t[1][n[++r]]+=l+"":u?(o=e.apply(l,ce(e,l,_,["",null])),t.push(o),l[0]?n[0]|=2:(n[r-2]=0,n[r]=o)):t.push(l)}return t},se=new Map,fe=function(e){var n=se.get(this);return n||(n=new Map,se.set(this,n)),(n=ce(this,n.get(e)||(n.set(e,n=function(e){for(var n,_,t=1,o="",r="",u=[0],l=function(e){1===t&&(e||(o=o.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?u.push(0,e,o):3===t&&(e||o)?(u.push(3,e,o),t=2):2===t&&"..."===o&&e?u.push(4,e,0):2===t&&o&&!e?u.push(5,0,!0,o):t>=5&&((o||!e&&5===t)&&(u.push(t,0,o,_),t=6),e&&(u.push(t,e,0,_),t=6)),o=""},i=0;i<e.length;i++){i&&(1===t&&l(),l(i));for(var c=0;c<e[i].length;c++)n=e[i][c],1===t?"<"===n?(l(),u=[u],t=3):o+=n:4===t?"--"===o&&">"===n?(t=1,o=""):o=n+o[0]:r?n===r?r="":o+=n:'"'===n||"'"===n?r=n:">"===n?(l(),t=1):t&&("="===n?(t=5,_=o,o=""):"/"===n&&(t<5||">"===e[i][c+1])?(l(),3===t&&(u=u[0]),t=u,(u=u[0]).push(2,0,t),t=0):" "===n||"\t"===n||"\n"===n||"\r"===n?(l(),t=2):o+=n),3===t&&"!--"===o&&(t=4,u=u[0])}return l(),u}(e)),n),arguments,[])).length>1?n:n[0]}.bind(a);

return { h: a, html: fe, render: M, Component: d, createContext: F, useState: G, useReducer: z, useEffect: J, useLayoutEffect: K, useRef: Q, useImperativeHandle: X, useMemo: Y, useCallback: Z, useContext: ee, useDebugValue: ne, useErrorBoundary: _e };
})();
m["api.js"] = (() => {
const KEY = "credits.token";
const TIME_LIMIT = 20_000;
const BASE = new URL("api/v1/", document.baseURI);
const listeners = new Set();
let token = sessionStorage.getItem(KEY);
let ended = null;
class Refused extends Error {
constructor({ title, advice, status = 0, code = "", details = {}, requestId = "", unsure = false }) {
super(title);
Object.assign(this, { title, advice, status, code, details, requestId, unsure });
}
}
function claims(text) {
try {
const part = text.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
const bytes = Uint8Array.from(atob(part), (sign) => sign.charCodeAt(0));
return JSON.parse(new TextDecoder().decode(bytes));
} catch {
return null;
}
}
function who() {
const said = token && claims(token);
if (!said) return null;
const scopes = String(said.scope || "").split(" ");
return { name: said.sub || "?", admin: scopes.includes("credits:admin"), merchant: said.merchant_id || null };
}
const whyEnded = () => ended;
const TIMER_MOST = 2 ** 31 - 1;
let ending = null;
function endInTime() {
clearTimeout(ending);
const said = token && claims(token);
const left = said?.exp ? said.exp * 1000 - Date.now() : Infinity;
if (left < TIMER_MOST) ending = setTimeout(() => signOut("Your session has ended: the token has expired."), left);
}
function onSession(listener) {
listeners.add(listener);
return () => listeners.delete(listener);
}
function tell() {
for (const listener of listeners) listener();
}
function signIn(text) {
const said = claims(text);
if (!said) return "This is not a token: a token has three parts with dots between them.";
if (said.exp && said.exp * 1000 <= Date.now()) return "This token has expired. Ask for a new one.";
token = text;
ended = null;
sessionStorage.setItem(KEY, text);
endInTime();
tell();
return null;
}
function signOut(why = null) {
token = null;
ended = why;
sessionStorage.removeItem(KEY);
endInTime();
tell();
}
endInTime();
async function sent(path, { method = "GET", body, headers = {}, parameters = {} } = {}) {
const url = new URL(path, BASE);
for (const [name, value] of Object.entries(parameters)) {
if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
}
const given = { Authorization: `Bearer ${token}`, ...headers };
if (body !== undefined) given["Content-Type"] = "application/json";
try {
return await fetch(url, {
method,
headers: given,
body: body === undefined ? undefined : JSON.stringify(body),
cache: "no-store",
credentials: "omit",
referrerPolicy: "no-referrer",
signal: AbortSignal.timeout(TIME_LIMIT),
});
} catch {
throw new Refused({
title: "The API does not answer.",
advice: "Check your connection and the service's health, then try again.",
unsure: method !== "GET",
});
}
}
async function ask(path, options = {}) {
const used = token;
const answer = await sent(path, options);
const content = await answer.json().catch(() => null);
if (answer.ok && content) return { status: answer.status, ...content };
const refused = refusal(answer, content, options.method);
if (answer.status === 401 && used === token) signOut(refused.title);
throw refused;
}
async function askText(path, { accept, parameters }) {
const used = token;
const answer = await sent(path, { headers: { Accept: accept }, parameters });
if (answer.ok) return { text: await answer.text(), next: answer.headers.get("X-Next-Cursor") };
const refused = refusal(answer, await answer.json().catch(() => null));
if (answer.status === 401 && used === token) signOut(refused.title);
throw refused;
}
function refusal(answer, content, method = "GET") {
const said = content?.error ?? {};
const seconds = Number(answer.headers.get("Retry-After")) || 1;
const given = {
title: content?.detail ?? `The API answered ${answer.status}.`,
advice: "",
status: answer.status,
code: said.code ?? "",
details: said.details ?? {},
requestId: content?.meta?.request_id ?? "",
};
if (answer.status === 401) {
given.title = "Your session has ended: the token is not accepted any more.";
given.advice = "Sign in with a new token.";
} else if (answer.status === 403) {
given.advice = "Sign in with a token that has this scope.";
} else if (answer.status === 429 || answer.status === 503) {
given.title = "The service is busy or cannot read its tables.";
given.advice = `Try again in ${seconds} ${seconds === 1 ? "second" : "seconds"}.`;
given.unsure = method !== "GET";
} else if (answer.status >= 500) {
given.title = "The service failed.";
given.advice = "Try again. If it fails again, give the engineers the request id.";
given.unsure = method !== "GET";
}
return new Refused(given);
}

return { Refused, who, whyEnded, onSession, signIn, signOut, ask, askText };
})();
m["words.js"] = (() => {
const numbers = new Intl.NumberFormat();
const relative = new Intl.RelativeTimeFormat();
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const phone = matchMedia("(max-width: 36rem)");
const [shortMoment, shorterMoment] = ["2-digit", undefined].map((second) => new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second }));
const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
const number = (value) => numbers.format(value);
const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "±") + numbers.format(Math.abs(value));
const time = (text) => moment.format(new Date(text));
const shortTime = (text) => (phone.matches ? shorterMoment : shortMoment).format(new Date(text));
const counted = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
const credits = (value) => counted(value, "credit");
const short = (id) => (id ? `${id.slice(0, 8)}…${id.slice(-4)}` : "");
function ago(text, now = Date.now()) {
const seconds = (new Date(text) - now) / 1000;
if (Math.abs(seconds) < 1) return "now";
const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size);
return relative.format(Math.trunc(seconds / size), unit);
}
const daysLeft = ({ days_left: days }) => (days === null ? "> 3,650" : days ? number(days) : "< 1");
const inDays = ({ days_left: days }) => (days ? relative.format(days, "day") : "within a day");
const TYPES = {
TRIAL: "Trial",
OPENING: "Opening",
ORDER_PAID: "Order",
ORDER_EDITED: "Order edit",
REFUND: "Refund",
PAYMENT: "Payment",
SUBSCRIPTION: "Renewal",
MANUAL: "Adjustment",
REVERSAL: "Reversal",
REVERSAL_RETURNED: "Returned reversal",
DEBT_REPAID: "Debt repayment",
EXPIRY: "Lapse",
};
const FREEZES = { frozen: "Freeze", unfrozen: "Unfreeze", ended: "End of the freeze" };
const called = (record) => FREEZES[record.extra_metadata.freeze] ?? TYPES[record.transaction_type] ?? record.transaction_type;
const EVENTS = {
"evt.credits.low_balance_reached": ["Balance low", "warn"],
"evt.credits.balance_restored": ["Balance restored", "good"],
"evt.credits.balance_exhausted": ["No credits left", "bad"],
"evt.credits.expiring": ["Credits will lapse", "warn"],
"evt.credits.plugin_status_changed": ["Plugin switched", "plain"],
};
const ID = /^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}$/i;
function uuid(text) {
const given = text.trim().toLowerCase();
if (!ID.test(given)) return null;
const hex = given.replaceAll("-", "");
return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const visible = (text) =>
text.replace(OBEYED, (sign) => (sign === "\n" || sign === "\t" ? sign : `\\u{${sign.codePointAt(0).toString(16)}}`));
const packed = (text) => text.replace(/\s+/g, "");
function indented(text) {
try {
const content = JSON.parse(text);
return packed(JSON.stringify(content)) === packed(text) ? JSON.stringify(content, null, 2) : text;
} catch {
return text;
}
}
const newKey = () =>
Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

return { number, signed, time, shortTime, counted, credits, short, ago, daysLeft, inDays, TYPES, called, EVENTS, uuid, visible, indented, newKey };
})();
m["parts.js"] = (() => {
const { html, useCallback, useEffect, useRef, useState } = m["preact.js"];
const { ago, short, shortTime, time } = m["words.js"];
function useLoad(load, keys) {
const [state, setState] = useState({ data: null, error: null, loading: true });
const turn = useRef(0);
const run = useCallback(() => {
const mine = (turn.current += 1);
setState((before) => ({ ...before, loading: true }));
return load().then(
(data) => mine === turn.current && setState({ data, error: null, loading: false }),
(error) => mine === turn.current && setState((before) => ({ ...before, error, loading: false })),
);
}, keys);
useEffect(() => {
setState({ data: null, error: null, loading: true });
run();
return () => { turn.current += 1; };
}, [run]);
return { ...state, reload: run };
}
function usePages(read, keys) {
const [older, setOlder] = useState({ rows: [] });
const first = useLoad(() => {
setOlder({ rows: [] });
return read(null);
}, keys);
const cursor = older.cursor === undefined ? first.data?.pagination.next_cursor : older.cursor;
const more = async () => {
if (older.busy || !cursor) return;
const mine = { ...older, busy: true, error: null };
setOlder(mine);
const then = (state) => setOlder((now) => (now === mine ? state : now));
await read(cursor).then(
({ data, pagination }) => then({ rows: [...mine.rows, ...data], cursor: pagination.next_cursor }),
(error) => then({ ...mine, busy: false, error }),
);
};
return { ...first, rows: [...(first.data?.data ?? []), ...older.rows], older, more, left: Boolean(cursor) };
}
function Pages({ of: { data, error, loading, reload, rows, older, more, left }, none, button }) {
return html`<${Trouble} error=${error} retry=${reload} />${loading && !data && html`<${Waiting} what="Reading the list…" />`}${data && !rows.length && !left && html`<p class="muted" role="status">${none}</p>`}<${Trouble} error=${older.error} retry=${more} />${left && !older.error && (button ?? html`<button type="button" disabled=${older.busy} onClick=${more}>${older.busy ? "Reading…" : "More"}</button>`)}`;
}
function useEvery(seconds, tick) {
const latest = useRef(tick);
latest.current = tick;
useEffect(() => {
let busy = false;
const timer = setInterval(() => {
if (busy || document.visibilityState !== "visible") return;
busy = true;
Promise.resolve(latest.current()).finally(() => { busy = false; });
}, seconds * 1000);
return () => clearInterval(timer);
}, [seconds]);
}
function Trouble({ error, retry, also }) {
if (!error) return null;
return html`<div class="trouble" role="alert"><p><strong>${error.title ?? "Something failed in this page."}</strong> ${error.advice ?? String(error)}</p>${error.requestId && html`<p class="small">Request id <code>${error.requestId}</code></p>`}${also}${retry && html`<button type="button" onClick=${retry}>Try again</button>`}</div>`;
}
function Waiting({ what }) {
return html`<p class="waiting" role="status">${what}</p>`;
}
function Time({ at, relative = false, brief = false }) {
if (!at) return null;
const said = relative ? ago(at) : brief ? shortTime(at) : time(at);
return html`<time datetime=${at} title="${time(at)} (${at})">${said}</time>`;
}
function Id({ of, to, whole = false }) {
if (!of) return html`<span class="muted">none</span>`;
const shown = html`<code title=${of}>${whole ? of : short(of)}</code>`;
return to ? html`<a href="#/${to}/${of}">${shown}</a>` : shown;
}
const EventName = ({ of, title }) => html`<code class="name" title=${title}>${of.split(/(?<=\.)/).flatMap((part) => [part, html`<wbr />`])}</code>`;
const Term = ({ of, children }) => html`<a class="term" href="#/concepts/${of}">${children}</a>`;
function Copy({ text, what }) {
const [done, setDone] = useState(false);
if (!navigator.clipboard) return null;
const copy = () => navigator.clipboard.writeText(text).then(() => { setDone(true); setTimeout(() => setDone(false), 2000); }, () => {});
return html`<button type="button" class="quiet small copy" aria-label="Copy ${what}" onClick=${copy}>${done ? "Copied" : "Copy"}</button>`;
}
const Scroll = ({ name, kind = "", children }) => html`<div class="scroll ${kind}" tabindex="0" role="region" aria-label=${name}>${children}</div>`;
function Badge({ tone, children }) {
return html`<span class="badge ${tone}">${children}</span>`;
}
const typing = () => document.activeElement?.matches("input, select, textarea") ?? false;
function Title({ children, name, field }) {
const place = useRef(null);
useEffect(() => { document.title = `${name} · Credits`; }, [name]);
useEffect(() => { if (!typing()) (document.getElementById(field) ?? place.current)?.focus({ preventScroll: true }); }, []);
return html`<h1 tabindex="-1" ref=${place}>${children}</h1>`;
}
let ids = 0;
const newId = () => `section-${(ids += 1)}`;
function Section({ name, title = name, first = false, kind = "card", children }) {
const [id] = useState(newId);
const [open] = useState(() => first || !matchMedia("(max-width: 36rem)").matches);
return html`<section class=${kind} aria-labelledby=${id}><details class="fold" open=${open}><summary><h2 id=${id}>${title}</h2></summary>${children}</details></section>`;
}

return { useLoad, usePages, Pages, useEvery, Trouble, Waiting, Time, Id, EventName, Term, Copy, Scroll, Badge, typing, Title, Section };
})();
m["concepts.js"] = (() => {
const { html, useEffect } = m["preact.js"];
const { Title } = m["parts.js"];
const CONCEPTS = [["plugin", "Plugin", "The software that a shop has installed and pays for with credits. It is on while the shop has at least one credit, and off without any. During a grace it stays on without credits for a limited time. A storefront reads the plugin's status with the widget or the API. An admin can freeze an account: then its plugin is off, whatever its balance, and all transactions are still recorded."], ["merchant", "Merchant", "A shop that uses the plugin, known by a UUID. Each account and transaction belongs to exactly one merchant."], ["credit", "Credit", "What an order costs: by default one credit an order. Credits are whole numbers. A trial, payments and renewals add them, orders use them, refunds give them back."], ["account", "Account", "A merchant's current credits: the balance, the credits added and removed so far, by type, and whether the plugin is on. An event opens the account."], ["transaction", "Transaction", "One change of a balance, recorded for ever: its type, how many credits, the balance before and after. A merchant's transactions are numbered without gaps, and each holds the hash of the one before it, so a changed, removed or inserted transaction can be found. A business fact makes one transaction, however often its event arrives."], ["threshold", "Threshold", "The balance at or below which an account is low. By default it is a share of the trial's credits; an admin may give a merchant a custom threshold instead."], ["crossing", "Crossing", "A crossing happens when a transaction takes the balance past a threshold, down to zero, or up from zero. Each crossing publishes an event, once: balance low, no credits left, balance restored, plugin switched."], ["shortfall", "Shortfall", "An order that needs more credits than there are takes what is left. The rest is its shortfall: credits that were not covered. A balance is never negative. A shortfall is not claimed later, except during a grace: then it is owed, and the next credits pay it."], ["dead-letter", "Dead letter", "A message that could not be applied, kept with its reason: it is unreadable, it contradicts the ledger, or what it needs (such as an order's account) did not arrive within an hour. It moved no credits, with one exception: if only some of its orders or refunds contradict the ledger, the others were applied. Once the cause is corrected, it can be retried any number of times."], ["drift", "Drift", "A difference between an account and its transactions, or between two transactions. There should be none: a daily check looks for drift and reports it. The guide for operators says what to do then."]];
function Concepts({ at }) {
useEffect(() => document.getElementById(at)?.scrollIntoView(), [at]);
return html`<${Title} name="Concepts">Concepts<//><dl class="card concepts">${CONCEPTS.map(([id, name, text]) => html`<div key=${id} id=${id} class=${id === at ? "sought" : ""}><dt><h2>${name}</h2></dt><dd>${text}</dd></div>`)}</dl>`;
}

return { Concepts };
})();
m["names.js"] = (() => {
const { html, useEffect, useState } = m["preact.js"];
const { ask } = m["api.js"];
const { visible } = m["words.js"];
const known = new Map();
const MOST = 100;
const forgetName = (id) => known.delete(id);
function useNames(ids) {
const [, setTurn] = useState(0);
const wanted = [...new Set(ids)].filter((id) => id && !known.has(id)).slice(0, MOST);
useEffect(() => {
if (!wanted.length) return;
ask("credits/admin/names", { method: "POST", body: { merchant_ids: wanted } }).then(({ data }) => {
for (const id of wanted) known.set(id, data.names[id] ? visible(data.names[id].shown) : null);
setTurn((turn) => turn + 1);
}, () => {});
}, [wanted.join()]);
return (id) => known.get(id) ?? null;
}
const called = (id, named) => named(id) ?? html`<code title=${id}>${id.slice(0, 8)}</code>`;
const Shop = ({ id, named }) => html`<a class="shop" href="#/merchant/${id}">${called(id, named)}</a>`;

return { forgetName, useNames, called, Shop };
})();
m["letters.js"] = (() => {
const { html, useState } = m["preact.js"];
const { ask } = m["api.js"];
const { called, Shop, useNames } = m["names.js"];
const { Badge, EventName, Pages, Term, Time, Title, Trouble, useLoad, usePages } = m["parts.js"];
const { indented, number, visible } = m["words.js"];
const ANY = "-";
const MERCHANTS_MOST = 10;
const PAGE = 100;
const PARKINGS = { inbox: "inbound event", outbox: "outbound event", stream: "stream record" };
function Message({ letter }) {
const [state, setState] = useState({ busy: false, error: null, body: letter.body, cut: letter.body_cut });
const whole = async () => {
setState((before) => ({ ...before, busy: true, error: null }));
try {
const { data } = await ask(`credits/admin/dead-letters/${encodeURIComponent(letter.id)}`);
setState({ busy: false, error: null, body: data.body, cut: false });
} catch (error) {
setState((before) => ({ ...before, busy: false, error }));
}
};
return html`<details><summary>The message</summary><pre tabindex="0">${visible(state.cut ? `${state.body}…` : indented(state.body))}</pre><${Trouble} error=${state.error} />${state.cut && html`<p class="small">This is the beginning of ${number(letter.body_length)} characters.${" "}<button type="button" class="quiet" onClick=${whole} disabled=${state.busy}>${state.busy ? "Looking…" : "Show the whole message"}</button></p>`}</details>`;
}
function Letter({ letter, chosen, choose, gone, named }) {
const [state, setState] = useState({ busy: false, error: null });
const retry = async () => {
setState({ busy: true, error: null });
try {
await retried(letter.id);
gone(letter.id, "retried");
} catch (error) {
setState({ busy: false, error });
}
};
return html`<li class="card letter" data-test="letter"><h2>${!gone.of(letter.id) && html`<input type="checkbox" aria-label="Choose the dead letter ${letter.id}" checked=${chosen} onChange=${() => choose(letter.id)} /> `}<${Badge} tone="bad">${visible(letter.code).replaceAll("_", " ")}<//> ${letter.event_type ? html`<${EventName} of=${letter.event_type} />` : "no readable event"}</h2><p class="reason">${visible(letter.reason) || "No reason was given."}</p><dl class="facts">${letter.merchant_id && html`<div><dt>Merchant</dt><dd><${Shop} id=${letter.merchant_id} named=${named} /></dd></div>`}${letter.field && html`<div><dt>Field</dt><dd><code>${visible(letter.field)}</code></dd></div>`}<div><dt>Came from</dt><dd>${visible(letter.origin ?? "unknown")} (${PARKINGS[letter.parking] ?? letter.parking})</dd></div>${letter.first_seen && html`<div><dt>First seen</dt><dd><${Time} at=${letter.first_seen} /></dd></div>`}<div><dt>Parked</dt><dd><${Time} at=${letter.parked_at} relative /></dd></div>${letter.redriven > 0 && html`<div><dt>Retried</dt><dd>${letter.redriven === 1 ? "once before" : `${number(letter.redriven)} times before`}</dd></div>`}</dl><${Message} letter=${letter} /><${Trouble} error=${state.error} also=${state.error?.status === 404 && html`<p>Somebody has already retried or discarded it, or is looking at it at this moment.</p>`} /><div role="status">${gone.of(letter.id) === "retried" && html`<p class="good"><strong>Retried.</strong> It is processed again now; if it fails again, it comes back here.</p>`}${gone.of(letter.id) === "discarded" && html`<p class="good"><strong>Discarded.</strong> Its content, the reason and who did it are kept.</p>`}</div>${!gone.of(letter.id) && (letter.redrivable
? html`<button type="button" onClick=${retry} disabled=${state.busy}>${state.busy ? "Retrying…" : "Retry"}</button>`
: letter.origin === "bridge" ? html`<p class="small muted">NATS keeps its body, which no queue can hold: have it published again, or raise <code>BRIDGE_MESSAGE_BYTES</code> and replay it.</p>`
: html`<p class="small muted">It cannot be retried. If it points to records of a stream, <code>credits republish --letter</code> publishes them again.</p>`)}</li>`;
}
const at = (id) => `credits/admin/dead-letters/${encodeURIComponent(id)}`;
const retried = (id) => ask(`${at(id)}/redrive`, { method: "POST" });
const discarded = (id, reason) => ask(`${at(id)}/discard`, { method: "POST", body: { reason } });
function Many({ letters, chosen, set, gone }) {
const [reason, setReason] = useState("");
const [state, setState] = useState({ busy: false, errors: [] });
const all = letters.filter((letter) => !gone.of(letter.id));
const run = async (name, deed) => {
setState({ busy: true, errors: [] });
const errors = [];
for (const id of chosen) {
try {
await deed(id);
gone(id, name);
set((before) => before.filter((one) => one !== id));
} catch (error) {
errors.push(error);
}
}
setState({ busy: false, errors });
};
return html`<form class="card" aria-label="The chosen dead letters" onSubmit=${(event) => event.preventDefault()}><p><button type="button" onClick=${() => set(chosen.length ? [] : all.map((letter) => letter.id))}>${chosen.length ? "Choose none" : `Choose all ${number(all.length)}`}</button> <span role="status">${number(chosen.length)} chosen</span></p><p><button type="button" disabled=${!chosen.length || state.busy} onClick=${() => run("retried", retried)}>Retry the chosen</button></p><label for="why">Reason to discard them</label><div class="inline many"><input id="why" value=${reason} maxlength="500" autocomplete="off" onInput=${(event) => setReason(event.currentTarget.value)} /><button type="button" disabled=${!chosen.length || state.busy || !reason.trim()} onClick=${() => run("discarded", (id) => discarded(id, reason.trim()))}>Discard the chosen</button></div>${state.errors.length > 0 && html`<${Trouble} error=${state.errors[0]} also=${html`<p>${number(state.errors.length)} of them stay parked.</p>`} />`}</form>`;
}
function Groups({ code, merchant }) {
const { data } = useLoad(() => ask("credits/admin/dead-letters/groups"), []);
const groups = data?.data ?? [];
const ids = numbered(groups, "merchant_id").map(([id]) => id).slice(0, MERCHANTS_MOST);
const named = useNames(ids);
if (!groups.length) return null;
const codes = numbered(groups.filter((group) => !merchant || group.merchant_id === merchant), "code");
const merchants = numbered(groups.filter((group) => !code || group.code === code), "merchant_id");
return html`<${Links} name="Code" rows=${codes} chosen=${code} to=${(one) => address(one, merchant)}>${(one) => visible(one).replaceAll("_", " ")}<//><${Links} name="Merchant" rows=${merchants.slice(0, MERCHANTS_MOST)} more=${merchants.length - MERCHANTS_MOST} chosen=${merchant} to=${(one) => address(code, one)}>${(one) => called(one, named)}<//>${data.pagination.has_next && html`<p class="small muted">Counted in the ${number(groups.length)} largest groups.</p>`}`;
}
function Links({ name, rows, more, chosen, to, children: shown }) {
if (!rows.length && !chosen) return null;
return html`<nav class="recent" aria-label="Dead letters by ${name.toLowerCase()}"><span class="muted">${name}:</span><a href=${to("")} aria-current=${chosen ? undefined : "page"}>All</a>${rows.map(([one, count]) => html`<a key=${one} href=${to(one)} aria-current=${one === chosen ? "page" : undefined}>${shown(one)} (${number(count)})</a>`)}${more > 0 && html`<span class="muted">and ${number(more)} more</span>`}</nav>`;
}
function numbered(groups, by) {
const counts = {};
for (const group of groups) if (group[by]) counts[group[by]] = (counts[group[by]] ?? 0) + group.letters;
return Object.entries(counts).sort(([, one], [, other]) => other - one);
}
const address = (code, merchant) => ["#/dead-letters", ...(code || merchant ? [encodeURIComponent(code || ANY)] : []), ...(merchant ? [merchant] : [])].join("/");
function Letters({ code: asked, merchant }) {
const code = asked === ANY ? "" : asked;
const pages = usePages((cursor) => ask("credits/admin/dead-letters", { parameters: { limit: PAGE, code, merchant_id: merchant, cursor } }), [code, merchant]);
const { data, loading, reload, rows: all, left } = pages;
const [chosen, setChosen] = useState([]);
const [ends, setEnds] = useState({});
const [within, setWithin] = useState("");
const named = useNames(all.map((letter) => letter.merchant_id));
const sought = within.trim().toLowerCase();
const letters = all.filter((letter) => [letter.id, letter.reason, letter.body].some((text) => text.toLowerCase().includes(sought)));
const unseen = data ? data.pagination.total - all.length : 0;
const gone = Object.assign((id, how) => setEnds((before) => ({ ...before, [id]: how })), { of: (id) => ends[id] });
const choose = (id) => setChosen((before) => (before.includes(id) ? before.filter((one) => one !== id) : [...before, id]));
return html`<${Title} name="Dead letters">Dead letters<//><p class="muted"><${Term} of="dead-letter">Dead letters<//> are messages that could not be applied. They moved no credits; other messages were applied. Retrying one is always safe: a fact moves credits once.</p><p><button type="button" onClick=${() => { setChosen([]); reload(); }} disabled=${loading}>${loading ? "Looking…" : "Refresh"}</button></p>${all.length > 0 && html`<form class="filters" role="search" aria-label="Find a dead letter" onSubmit=${(event) => event.preventDefault()}><div class="grow"><label for="within">An order's number, or other text of the message</label><input id="within" value=${within} autocomplete="off" spellcheck=${false} placeholder="1042" onInput=${(event) => { setWithin(event.currentTarget.value); setChosen([]); }} /></div></form>`}${data && html`<${Groups} code=${code} merchant=${merchant} />`}${all.length > 0 && html`<p class="muted" role="status">${unseen > 0 ? `The ${number(all.length)} newest of about ${number(data.pagination.total)}` : `${data.pagination.complete ? "All " : ""}${number(all.length)}`} are here${sought && `, ${number(letters.length)} with this text`}.${data.pagination.complete ? "" : " Newer ones may be missing: somebody else looks at them now, or there are too many for one look. Refresh."}</p>`}${letters.length > 0 && html`<${Many} letters=${letters} chosen=${chosen} set=${setChosen} gone=${gone} />`}<ul class="letters">${letters.map((letter) => html`<${Letter} key=${letter.id} letter=${letter} chosen=${chosen.includes(letter.id)} choose=${choose} gone=${gone} named=${named} />`)}</ul><${Pages} of=${pages} none=${unseen > 0 && !data.pagination.complete ? `About ${number(unseen)} are parked, and somebody else looks at them now: refresh.` : `Nothing is parked${code ? " with this code" : ""}${merchant ? " of this merchant" : ""}.`} />`;
}

return { Letters };
})();
m["many.js"] = (() => {
const { html, useEffect, useRef, useState } = m["preact.js"];
const { ask, who } = m["api.js"];
const { Shop, useNames } = m["names.js"];
const { Scroll, Section, Time, Title, Trouble, useLoad, Waiting } = m["parts.js"];
const { counted, credits, number, signed, visible } = m["words.js"];
const ADJUSTMENTS = "credits/admin/adjustments";
const UNFINISHED = "credits.batch";
const SHOWN = 50;
const BATCH = /^(batch-[0-9a-f]+)-\d+(-undo)?$/;
const STATES = { apply: "", applied: "applied", done: "done before", skipped: "never applied", refused: "refused", waiting: "waits for another admin" };
const TONES = { applied: "good", done: "muted", skipped: "muted", refused: "bad", waiting: "warn" };
function unfinished() {
try {
return JSON.parse(sessionStorage.getItem(UNFINISHED));
} catch {
return null;
}
}
function kept(run) {
try {
sessionStorage.setItem(UNFINISHED, JSON.stringify(run));
} catch {
}
}
const adjust = ({ merchant_id, adjustment_id, credits: change, reason, expires_at, expires_in_days }, batch_credits) =>
ask(ADJUSTMENTS, {
method: "POST",
headers: { "Idempotency-Key": adjustment_id },
body: { merchant_id, operation_type: change > 0 ? "INCREASE" : "DECREASE", credits: Math.abs(change), reason, batch_credits, ...(expires_at && { expires_at }), ...(expires_in_days && { expires_in_days }) },
});
function Effect({ row }) {
const said = row.why ?? (row.before === null ? "" : `${number(row.before)} → ${number(row.after)}${row.turns ? `, the plugin goes ${row.turns}` : ""}`);
return html`${said} ${STATES[row.state] && html`<strong class=${TONES[row.state]}>${STATES[row.state]}</strong>`}`;
}
function Rows({ rows }) {
const [all, setAll] = useState(false);
const troubled = rows.filter((row) => row.state === "refused");
const shown = all ? rows : [...troubled, ...rows.filter((row) => row.state !== "refused")].slice(0, SHOWN);
const named = useNames(shown.map((row) => row.merchant_id));
return html`<${Scroll} name="What each row does"><table class="batch"><caption class="sr">What each row does</caption><thead><tr><th scope="col" class="num">Line</th><th scope="col">Merchant</th><th scope="col" class="num">Credits</th><th scope="col">Effect</th></tr></thead><tbody>${shown.map((row) => html`<tr key=${row.adjustment_id} data-test="row"><td class="num">${number(row.line)}</td><td><${Shop} id=${row.merchant_id} named=${named} /></td><td class="num">${signed(row.credits)}</td><td><${Effect} row=${row} /></td></tr>`)}</tbody></table><//>${rows.length > shown.length && html`<p><button type="button" onClick=${() => setAll(true)}>Show all ${number(rows.length)} rows</button></p>`}`;
}
function Summary({ plan }) {
const count = (state) => plan.rows.filter((row) => row.state === state).length;
const turned = (way) => plan.rows.filter((row) => row.turns === way && row.state === "apply").length;
const parts = [
counted(plan.rows.length + plan.bad.length, "row"), `${credits(plan.batch_credits)} moved in all`,
count("apply") && `${number(count("apply"))} to apply`, count("done") && `${number(count("done"))} done before`, count("skipped") && `${number(count("skipped"))} never applied`,
count("refused") && `${number(count("refused"))} refused`, plan.bad.length && `${number(plan.bad.length)} bad`,
turned("off") && `${counted(turned("off"), "plugin")} to go off`, turned("on") && `${counted(turned("on"), "plugin")} to go on`,
];
return html`<p data-test="summary">${plan.undo ? "Taking back " : ""}<code>${plan.batch}</code>: ${parts.filter(Boolean).join(", ")}.</p>`;
}
const ended = (rows) => Object.entries(STATES).filter(([state]) => state !== "apply")
.map(([state, said]) => [rows.filter((row) => row.state === state).length, said])
.filter(([count]) => count).map(([count, said]) => `${number(count)} ${said}`).join(", ");
function Plan({ plan, update, undo, text, changed }) {
const [partial, setPartial] = useState(false);
const [run, setRun] = useState(null);
const running = useRef(true);
useEffect(() => () => { running.current = false; }, []);
const todo = plan.rows.filter((row) => row.state === "apply");
const wrong = plan.bad.length + plan.rows.filter((row) => row.state === "refused").length;
const held = wrong > 0 && !partial;
const apply = async () => {
kept({ text, undo: plan.undo, partial });
let at = 0;
for (const row of todo) {
if (!running.current) return;
setRun({ at, of: todo.length });
try {
const { status, data } = await adjust(row, plan.batch_credits);
Object.assign(row, { state: status === 200 ? "done" : "applied", before: data.balance_before, after: data.balance_after, why: null });
} catch (error) {
if (error.unsure || error.status === 401 || !error.status) {
setRun({ at, of: todo.length, error });
return;
}
Object.assign(row, { state: error.code === "CONFIRMATION_NEEDED" ? "waiting" : "refused", why: error.code === "CONFIRMATION_NEEDED" ? null : error.title });
}
at += 1;
}
sessionStorage.removeItem(UNFINISHED);
setRun({ at, of: todo.length, done: true });
update({ ...plan });
changed();
};
const busy = run && !run.done && !run.error;
return html`<${Section} name="Preview" title=${run?.done ? "Result" : "Preview"} first><${Summary} plan=${plan} />${plan.needs_confirming && !run?.done && todo.length > 0 && html`<p class="said">That is more than one admin may move alone: the rows wait until another admin confirms them.</p>`}${plan.bad.length > 0 && html`<ul data-test="bad">${plan.bad.slice(0, SHOWN).map((bad) => html`<li class="bad" key=${bad.line}>Line ${number(bad.line)}, ${bad.column}: ${visible(bad.why)}</li>`)}</ul>`}<${Rows} rows=${plan.rows} />${wrong > 0 && todo.length > 0 && !run && html`<label class="choice"><input type="checkbox" checked=${partial} onChange=${() => setPartial(!partial)} /> Apply the other rows anyway</label>`}<div role="status" data-test="progress">${busy && html`<label class="small" for="progress">${number(run.at)} of ${counted(run.of, "row")}</label> <progress id="progress" max=${run.of} value=${run.at}></progress>`}${run?.done && html`<p class="done">${ended(plan.rows)}.</p>`}${held && todo.length > 0 && html`<p class="muted">Nothing is applied while a row is bad or refused.</p>`}</div><${Trouble} error=${run?.error} also=${html`<p>It stopped after ${number(run?.at ?? 0)} of ${number(run?.of ?? 0)} rows. Continue: each row counts once.</p>`} />${!run?.done && todo.length > 0 && html`<button type="button" class="main" disabled=${busy || held} onClick=${apply}>${busy ? "Applying…" : run?.error ? "Continue" : `${plan.undo ? "Take back" : "Apply"} ${counted(todo.length, "row")}`}</button>`}${!plan.undo && !busy && plan.rows.some((row) => row.state === "done" || row.state === "applied") && html` <button type="button" onClick=${undo}>Undo this batch…</button>`}<//>`;
}
const grouped = (rows) => {
const groups = new Map();
for (const row of rows) {
const [, batch, back] = BATCH.exec(row.adjustment_id) ?? [null, row.adjustment_id];
const key = `${batch}${back ?? ""} ${row.asked_by}`;
groups.set(key, [...(groups.get(key) ?? []), row]);
}
return [...groups];
};
function Waiters({ turn }) {
const { data, error, loading, reload } = useLoad(() => ask(`${ADJUSTMENTS}/waiting`), [turn]);
const [state, setState] = useState({ busy: null, error: null });
const groups = grouped(data?.data.waiting ?? []);
const named = useNames(groups.map(([, [row]]) => row.merchant_id));
const each = async (key, rows, deed) => {
setState({ busy: key, error: null });
let failed = null;
for (const row of rows) {
try {
await deed(row);
} catch (refused) {
failed ??= refused;
if (refused.unsure || refused.status === 401) break;
}
}
setState({ busy: null, error: failed });
reload();
};
const confirm = (row) => adjust({ ...row, credits: row.operation_type === "INCREASE" ? row.credits : -row.credits }, row.batch_credits);
const withdraw = (row) => ask(`${ADJUSTMENTS}/waiting/${row.transaction_id}`, { method: "DELETE" });
return html`<${Section} name="Waiting for another admin" first><${Trouble} error=${error} retry=${reload} /><${Trouble} error=${state.error} also=${html`<p>It still waits.</p>`} />${loading && !data && html`<${Waiting} what="Reading what waits…" />`}${data && !groups.length && html`<p class="muted">Nothing waits.</p>`}<ul class="waiters">${groups.map(([key, rows]) => html`<li key=${key} data-test="waiter"><p><strong>${visible(rows[0].asked_by)}</strong> asked <${Time} at=${rows[0].asked_at} relative /> for ${rows.length === 1
? html`${signed(rows[0].operation_type === "INCREASE" ? rows[0].credits : -rows[0].credits)} credits of <${Shop} id=${rows[0].merchant_id} named=${named} />: ${visible(rows[0].reason)}`
: html`${number(rows.length)} rows of <code>${key.split(" ")[0]}</code>, ${credits(rows.reduce((sum, row) => sum + row.credits, 0))} in all: ${visible(rows[0].reason)}…`}</p>${rows[0].asked_by === who()?.name ? html`<p class="small muted">Another admin than you has to confirm it.</p>`
: html`<button type="button" class="main" disabled=${state.busy} onClick=${() => each(key, rows, confirm)}>${state.busy === key ? "Confirming…" : "Confirm"}</button> `}<button type="button" disabled=${state.busy} onClick=${() => each(key, rows, withdraw)}>Withdraw</button></li>`)}</ul>${data?.data.more && html`<p class="small muted">More is waiting than is listed.</p>`}<//>`;
}
function Many() {
const [before] = useState(unfinished);
const [text, setText] = useState(before?.text ?? "");
const [plan, setPlan] = useState(null);
const [state, setState] = useState({ busy: false, error: null });
const [turn, setTurn] = useState(0);
const preview = async (undo) => {
setState({ busy: true, error: null });
setPlan(null);
try {
const { data } = await ask(`${ADJUSTMENTS}/preview`, { method: "POST", body: { csv: text, undo } });
setPlan({ ...data, undo, key: `${data.batch}${undo}${Date.now()}` });
setState({ busy: false, error: null });
} catch (error) {
setState({ busy: false, error });
}
};
const choose = async (event) => {
const [file] = event.currentTarget.files;
if (!file) return;
setPlan(null);
setText(await file.text());
};
return html`<${Title} name="Many at once">Many adjustments at once<//><${Section} name="The file" first>${before && !plan && html`<p class="said" role="status">A run of this file was interrupted. Preview it again and continue: each row counts once.</p>`}<form onSubmit=${(event) => { event.preventDefault(); preview(false); }}><label for="file">Choose a CSV</label><input id="file" type="file" accept=".csv,text/csv" onChange=${choose} /><label for="csv">or paste it</label><textarea id="csv" rows="6" spellcheck=${false} aria-describedby="csv-help" value=${text} onInput=${(event) => { setText(event.currentTarget.value); setPlan(null); }}></textarea><p class="small muted" id="csv-help">A header line <code>merchant_id,credits,reason</code>, then up to 2,000 rows; credits are signed. Do not change a file that was applied in part: other content is another batch.</p><${Trouble} error=${state.error} /><button class="main" type="submit" disabled=${state.busy || !text.trim()}>${state.busy ? "Looking…" : "Preview"}</button>${" "}<button type="button" disabled=${state.busy || !text.trim()} onClick=${() => preview(true)}>Preview its undo</button></form><//>${plan && html`<${Plan} key=${plan.key} plan=${plan} update=${setPlan} undo=${() => preview(true)} text=${text} changed=${() => setTurn((last) => last + 1)} />`}<${Waiters} turn=${turn} />`;
}

return { Many };
})();
m["actions.js"] = (() => {
const { html } = m["preact.js"];
const { ask } = m["api.js"];
const { Shop, useNames } = m["names.js"];
const { Pages, Section, Time, Title, usePages } = m["parts.js"];
const { counted, credits, number, visible } = m["words.js"];
const PAGE = 25;
const SENTENCES = {
adjusted: ({ amount, reason, transaction_id }) => html`${amount > 0 ? "added" : "removed"} <a href="#/transaction/${transaction_id}">${credits(Math.abs(amount))}</a>: ${visible(String(reason))}`,
threshold_set: ({ low_balance_threshold }) => (low_balance_threshold === null ? "went back to the default threshold" : `set the threshold to ${number(low_balance_threshold)}`),
levels_set: ({ levels }) => (levels === null ? "went back to the fleet's levels" : levels ? `set the levels ${visible(String(levels))}` : "set no levels"),
grace_set: ({ hours, credits: owed }) => (hours === null ? "went back to the fleet's grace" : hours || owed ? `set a grace of ${hours ? `${counted(hours, "hour")}` : ""}${hours && owed ? " or " : ""}${owed ? credits(owed) : ""}${hours && owed ? ", whichever comes first" : ""}` : "set no grace"),
frozen: ({ reason, until, transaction_id }) => html`<a href="#/transaction/${transaction_id}">froze the account</a>${until ? html` until <${Time} at=${until} />` : ""}: ${visible(String(reason))}`,
unfrozen: ({ reason, transaction_id }) => html`<a href="#/transaction/${transaction_id}">unfroze the account</a>${reason ? `: ${visible(String(reason))}` : ""}`,
letter_retried: ({ code, event_type }) => `retried a dead letter (${visible(String(code)).replaceAll("_", " ")}${event_type ? `, ${visible(event_type)}` : ""})`,
letter_discarded: ({ code, reason }) => `discarded a dead letter (${visible(String(code)).replaceAll("_", " ")}): ${visible(String(reason ?? ""))}`,
linked: ({ name }) => `linked ${visible(String(name))}`,
unlinked: ({ name }) => `unlinked ${visible(String(name))}`,
};
function List({ merchant, turn }) {
const pages = usePages((cursor) => ask("credits/admin/actions", { parameters: { merchant_id: merchant, limit: PAGE, cursor } }), [merchant, turn]);
const named = useNames(merchant ? [] : pages.rows.map((row) => row.merchant_id));
return html`<ol class="story" data-test="actions">${pages.rows.map((row) => html`<li key=${`${row.time}${row.did}${JSON.stringify(row.details)}`}><p class="when"><${Time} at=${row.time} />${!merchant && row.merchant_id && html` · <${Shop} id=${row.merchant_id} named=${named} />`}</p><p><strong>${visible(row.admin_id)}</strong> ${SENTENCES[row.did]?.(row.details) ?? visible(row.did).replaceAll("_", " ")}</p></li>`)}</ol><${Pages} of=${pages} none="No admin has changed anything yet." />`;
}
const Actions = () => html`<${Title} name="Actions">Who did what<//><div class="card"><${List} merchant=${null} turn=${0} /></div>`;
const ActionsOf = ({ merchant, turn }) => html`<${Section} name="Who did what"><${List} merchant=${merchant} turn=${turn} /><//>`;

return { Actions, ActionsOf };
})();
m["ahead.js"] = (() => {
const { html } = m["preact.js"];
const { Scroll, Time } = m["parts.js"];
const { number } = m["words.js"];
function lapses(account) {
let left = account.balance;
return account.lots.map(({ expires_at, credits }) => ({ at: expires_at, moment: new Date(expires_at) / 1000, credits, left: (left -= credits) }));
}
function past(records, account) {
const left = Object.fromEntries(account.lots.map((lot) => [lot.expires_at, lot.credits]));
const add = (at, credits) => { left[at] = (left[at] ?? 0) + credits; };
return [...records].reverse().map(({ amount, drawn, extra_metadata: { merged } }) => {
const found = Object.entries(left).filter(([, credits]) => credits > 0).sort();
for (const merge of merged?.split(", ").reverse() ?? []) {
const [from, into, credits] = merge.split(" ");
add(into, -credits);
add(from, +credits);
}
for (const [at, credits] of drawn) add(at, amount < 0 ? credits : -credits);
return found;
}).reverse();
}
function levels(account) {
const { percent_of: full, levels: found } = account.levels ?? { levels: [] };
const each = { credits: 1, percent: full === null ? null : full / 100, days: account.runway?.per_day ?? null };
return found.map((level) => ({ ...level, credits: each[level.unit] === null ? null : Math.floor(level.at * each[level.unit]) }));
}
function Ahead({ account }) {
const [lots, lines] = [lapses(account), levels(account)];
return html`${lots.length > 0 && html`<${Scroll} name="Lapses to come"><table data-test="lapses"><caption>Lapses to come</caption><thead><tr><th scope="col">When</th><th scope="col" class="num">Credits</th><th scope="col" class="num">Left, if no orders come</th></tr></thead><tbody>${lots.map((lot) => html`<tr key=${lot.at}><td><${Time} at=${lot.at} /> <span class="muted">(<${Time} at=${lot.at} relative />)</span></td><td class="num">${number(lot.credits)}</td><td class="num">${number(lot.left)}</td></tr>`)}</tbody></table><//>`}${lines.length > 0 && html`<${Scroll} name="Levels"><table data-test="level-lines"><caption>Levels</caption><thead><tr><th scope="col">Level</th><th scope="col" class="num">At</th><th scope="col" class="num">In credits now</th><th scope="col">State</th></tr></thead><tbody>${lines.map((line) => html`<tr key=${line.name}><td>${line.name}</td><td class="num">${number(line.at)} ${line.unit}</td><td class="num">${line.credits === null ? "not known yet" : number(line.credits)}</td><td>${line.below ? "below" : "above"}</td></tr>`)}</tbody></table><//>`}`;
}

return { lapses, past, levels, Ahead };
})();
m["chart.js"] = (() => {
const { html, useEffect, useMemo, useRef, useState } = m["preact.js"];
const { Ahead, lapses, levels, past } = m["ahead.js"];
const { ask } = m["api.js"];
const { Section, Time, Trouble, useLoad, Waiting } = m["parts.js"];
const { inDays, number, time } = m["words.js"];
const PAGE = 100;
const PAGES_MAX = 3;
const DAY = 86_400;
const AHEAD = 0.5;
const LAPSES_AHEAD = 2;
const LEVELS_ABOVE = 1.5;
const DAYS_MAX = 36_525;
const LABEL = 76;
const DIGIT = 7.5;
async function newest(id) {
const rows = [];
let cursor = null;
for (let turn = 0; turn < PAGES_MAX; turn += 1) {
const { data, pagination } = await ask("credits/transactions", { parameters: { merchant_id: id, limit: PAGE, cursor } });
rows.push(...data);
cursor = pagination.next_cursor;
if (!cursor) break;
}
return rows.reverse();
}
const at = (record) => new Date(record.created_at) / 1000;
function projected(records, { balance, runway }, now) {
if (balance > 0 && runway?.days_left != null) return { perDay: runway.per_day, empty: now + (balance * DAY) / runway.per_day };
const used = records.reduce((sum, one) => (["ORDER_PAID", "ORDER_EDITED", "REFUND"].includes(one.transaction_type) ? sum - one.amount : sum), 0);
const days = records.length ? (now - at(records[0])) / DAY : 0;
if (!(balance > 0) || !(used > 0) || !(days > 0) || (balance * days) / used > DAYS_MAX) return null;
return { perDay: used / days, empty: now + (balance * days * DAY) / used, since: records[0].created_at };
}
function end(records, account, outlook, now) {
const shown = now - at(records[0]);
const near = lapses(account).map((lot) => lot.moment).filter((moment) => moment <= now + shown * LAPSES_AHEAD);
return Math.max(now, Math.min(outlook?.empty ?? now, now + shown * AHEAD), ...near);
}
function perTime(perDay) {
const [unit, size] = [["a day", 1], ["an hour", 24], ["a minute", 1440]].find(([, size]) => perDay / size < 500) ?? ["a minute", 1440];
const rate = perDay / size;
return `${rate < 10 ? Math.round(10 * rate) / 10 : number(Math.round(rate))} credits ${unit}`;
}
function colours() {
const style = getComputedStyle(document.documentElement);
return Object.fromEntries(["ink", "muted", "line", "accent", "warn", "bad"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}
function lines(records, account, outlook, now) {
const until = end(records, account, outlook, now);
const come = until > now ? [...(outlook?.empty < until ? [outlook.empty] : []), until] : [];
const changed = new Date(account.updated_at) / 1000;
const since = changed > at(records.at(-1)) && changed < now ? [changed, now] : [now];
const later = [...since.map(() => account.balance), ...come.map(() => null)];
const times = [...records.map(at), ...since, ...come];
const balances = [...records.map((one) => one.balance_after), ...later];
const thresholds = [...records.map((one) => one.threshold), ...later.map(() => account.threshold)];
const ahead = times.map((moment) => (moment < now || !outlook ? null : Math.max(0, account.balance * (1 - (moment - now) / (outlook.empty - now)))));
for (let place = 1; place < times.length; place += 1) if (times[place] <= times[place - 1]) times[place] = times[place - 1] + 1e-4;
return [times, balances, thresholds, ahead];
}
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 4 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const precise = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
function moments(plot, ticks) {
const shown = plot.scales.x.max - plot.scales.x.min;
const form = shown < 600 ? precise : shown < 2 * DAY ? clock : day;
return ticks.map((tick) => form.format(tick * 1000));
}
function bands(records, account, now, colour) {
const before = past(records, account);
return (plot) => {
const { ctx, bbox } = plot;
const right = bbox.left + bbox.width;
const [x, y] = [(moment) => Math.round(Math.min(right, plot.valToPos(moment, "x", true))), (value) => plot.valToPos(value, "y", true)];
const band = (from, until, low, high, fill) => { ctx.fillStyle = fill; ctx.fillRect(x(from), y(high), x(until) - x(from), y(low) - y(high)); };
const lot = (from, until, low, credits, above) => band(from, until, low, low + credits, `${colour.warn}${above % 2 ? "2b" : "4d"}`);
const lots = lapses(account);
ctx.save();
records.forEach((record, place) => {
const until = place + 1 < records.length ? at(records[place + 1]) : now;
let top = record.balance_after;
before[place].forEach(([, credits], above, { length }) => lot(at(record), until, (top -= credits), credits, length - above));
band(at(record), until, 0, top, `${colour.accent}1f`);
});
if (lots.length) band(now, plot.scales.x.max, 0, lots.at(-1).left, `${colour.accent}1f`);
lots.forEach((one, above) => {
lot(now, one.moment, one.left, one.credits, lots.length - above);
ctx.fillStyle = colour.warn;
if (one.moment <= plot.scales.x.max) ctx.fillRect(x(one.moment) - 2, bbox.top, 2, bbox.height);
});
ctx.fillStyle = ctx.strokeStyle = colour.muted;
ctx.textAlign = "left";
ctx.textBaseline = "middle";
ctx.setLineDash([1, 3]);
const [gap, beside] = [14 * devicePixelRatio, right + 8 * devicePixelRatio];
const shown = levels(account).filter(({ credits }) => credits !== null && credits <= plot.scales.y.max).sort((one, other) => one.credits - other.credits);
let free = bbox.top + bbox.height;
for (const one of shown) free = (one.at = Math.min(y(one.credits), free)) - gap;
free = bbox.top;
for (const one of shown.reverse()) {
free = (one.at = Math.max(one.at, free)) + gap;
ctx.beginPath();
ctx.moveTo(bbox.left, y(one.credits));
ctx.lineTo(right, y(one.credits));
ctx.lineTo(beside - 2, one.at);
ctx.stroke();
ctx.fillText(one.name, beside, one.at, ctx.canvas.width - beside);
}
ctx.restore();
};
}
function options(Plot, place, say, records, account, now) {
const colour = colours();
const lines = levels(account).map((level) => level.credits);
const names = Math.max(0, ...levels(account).map((level) => level.name.length));
const stepped = Plot.paths.stepped({ align: 1 });
const axis = { stroke: colour.muted, grid: { stroke: colour.line, width: 1 }, ticks: { stroke: colour.line }, font: "12px system-ui, sans-serif" };
return {
width: place.clientWidth,
height: 256,
padding: [null, Math.max(LABEL / 2, Math.min(names * DIGIT + 10, place.clientWidth / 3)), null, null],
legend: { show: false },
cursor: { y: false, points: { size: 7 } },
scales: { y: { range: (_, __, most) => [0, Math.max(1, ...[most, ...lines.filter((line) => line <= most * LEVELS_ABOVE)].map((line) => line * 1.08))] } },
axes: [{ ...axis, space: 80, values: moments }, { ...axis, size: (_, labels) => 24 + DIGIT * Math.max(3, ...(labels ?? []).map((label) => label.length)), values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? (ticks.at(-1) < 1e6 ? number : compact.format)(tick) : "")) }],
series: [
{},
{ stroke: colour.accent, width: 2, paths: stepped, points: { show: false } },
{ stroke: colour.warn, width: 1.5, dash: [6, 4], paths: stepped, points: { show: false } },
{ stroke: colour.bad, width: 1.5, dash: [2, 4], points: { show: false } },
],
hooks: { drawAxes: [bands(records, account, now, colour)], setCursor: [(plot) => say(plot.cursor.idx)] },
};
}
const plotter = () => import("./uplot.js");
function Plotted({ records, account, outlook, now }) {
const place = useRef(null);
const [said, setSaid] = useState("");
useEffect(() => {
let plot = null;
let gone = false;
const data = lines(records, account, outlook, now);
const say = (index) => {
const balance = index === null || index === undefined ? null : data[1][index];
setSaid(balance === null || balance === undefined ? "" : `${time(data[0][index] * 1000)}: ${number(balance)}`);
};
const draw = async () => {
const { default: Plot } = await plotter();
if (gone || !place.current) return;
plot?.destroy();
plot = new Plot(options(Plot, place.current, say, records, account, now), data, place.current);
};
draw();
const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", draw);
const resized = new ResizeObserver(() => plot?.setSize({ width: place.current.clientWidth, height: 256 }));
resized.observe(place.current);
return () => {
gone = true;
dark.removeEventListener("change", draw);
resized.disconnect();
plot?.destroy();
};
}, [records, now]);
return html`<div class="plot" ref=${place} aria-hidden="true"></div><output class="small muted" aria-hidden="true">${said}</output>`;
}
function Chart({ account }) {
useEffect(() => void plotter(), []);
const { data, error, reload } = useLoad(() => newest(account.merchant_id), [account.merchant_id, account.last_transaction_id]);
const last = useRef(null);
if (data) last.current = data;
const records = last.current;
const now = useMemo(() => Date.now() / 1000, [records, account.updated_at, account.runway?.days_left]);
const outlook = useMemo(() => records && projected(records, account, now), [now]);
const empty = outlook && new Date(outlook.empty * 1000).toISOString();
return html`<${Section} name="Burn-down" first kind="card chart"><${Trouble} error=${error} retry=${reload} />${!records && !error && html`<${Waiting} what="Reading the transactions…" />`}${records?.length > 0 && html`<p data-test="outlook">${outlook
? html`At ${perTime(outlook.perDay)}, ${outlook.since ? html`by its use since <${Time} at=${outlook.since} />` : "by its use of the last weeks"}, it is empty about <strong><${Time} at=${empty} /></strong> (${outlook.since ? html`<${Time} at=${empty} relative />` : inDays(account.runway)}).${outlook.since ? " That is a guess: the daily use is known after three days and ten orders." : ""}`
: account.balance === 0 ? "It is empty." : "Recent orders used few credits or none, so no date can be projected."}</p><${Plotted} records=${records} account=${account} outlook=${outlook} now=${now} /><p class="small muted">The line: the balance after each of the newest ${number(records.length)} transactions. Dashed: the threshold. Dotted: the projection.${records.some((one) => one.drawn.length) && " Bands: credits that lapse, as they were, and from now until they do, if no orders come."}${levels(account).length > 0 && " Named lines: levels."}</p><${Ahead} account=${account} />`}<//>`;
}

return { Chart };
})();
m["days.js"] = (() => {
const { html, useState } = m["preact.js"];
const { ask } = m["api.js"];
const { Scroll, Section, Trouble, useLoad, Waiting } = m["parts.js"];
const { counted, credits, number } = m["words.js"];
const SPANS = [7, 30, 90];
const HEIGHT = 100;
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const named = (text) => day.format(new Date(`${text}T00:00:00Z`));
function Picture({ rows, bars, line }) {
const width = 100 / rows.length;
const most = Math.max(1, ...rows.map((row) => row[bars]));
const highest = Math.max(1, ...rows.map((row) => row[line]));
const level = (value) => HEIGHT - (HEIGHT - 4) * Math.max(0, value) / highest;
const steps = rows.map((row, place) => `${place ? "H" : "M"}${place * width}${place ? "" : ` ${level(row[line])}`}V${level(row[line])}`).join("");
return html`<svg class="days" viewBox="0 0 100 ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">${rows.map((row, place) => html`<rect key=${row.day} x=${place * width + width * 0.15} width=${width * 0.7} y=${HEIGHT - (HEIGHT - 4) * Math.max(0, row[bars]) / most} height=${(HEIGHT - 4) * Math.max(0, row[bars]) / most}><title>${named(row.day)}: ${number(row[bars])}</title></rect>`)}<path d="${steps}H100" vector-effect="non-scaling-stroke" /></svg><p class="ends small muted"><span>${named(rows[0].day)}</span><span>${named(rows.at(-1).day)}</span></p>`;
}
function Table({ rows, columns }) {
return html`<details><summary>Each day</summary><${Scroll} name="Each day"><table><thead><tr><th scope="col">Day (UTC)</th>${columns.map(([, name]) => html`<th key=${name} scope="col" class="num">${name}</th>`)}</tr></thead><tbody>${[...rows].reverse().map((row) => html`<tr key=${row.day}><td class="nowrap">${named(row.day)}</td>${columns.map(([key]) => html`<td key=${key} class="num">${number(row[key])}</td>`)}</tr>`)}</tbody></table><//></details>`;
}
function Days({ path, name, what, bars, line, columns, turn }) {
const [span, setSpan] = useState(30);
const { data, error, reload } = useLoad(() => ask(path, { parameters: { days: span } }), [path, span, turn]);
const rows = data?.data.days;
return html`<${Section} name=${name}><fieldset class="spans"><legend class="sr">How many days</legend>${SPANS.map((one) => html`<label class="choice" key=${one}><input type="radio" name="span-${name}" checked=${one === span} onChange=${() => setSpan(one)} /> ${one} days</label>`)}</fieldset><${Trouble} error=${error} retry=${reload} />${!rows && !error && html`<${Waiting} what="Reading the days…" />`}${rows?.length > 0 && html`<p>${what(rows)}</p><${Picture} rows=${rows} bars=${bars} line=${line} /><${Table} rows=${rows} columns=${columns} />`}${rows?.length === 0 && html`<p class="muted">There are no figures by day yet.</p>`}<//>`;
}
const sum = (rows, key) => rows.reduce((all, row) => all + row[key], 0);
const COLUMNS = [["orders", "Orders"], ["used", "Used"], ["credits_in", "In"], ["credits_out", "Out"], ["shortfall", "Uncovered"], ["balance", "Balance"]];
const AccountDays = ({ id, newest }) => html`<${Days} path=${`credits/accounts/${id}/days`} name="Days" turn=${newest} bars="used" line="balance" columns=${COLUMNS}
what=${(rows) => `${counted(sum(rows, "orders"), "order")} used ${credits(sum(rows, "used"))}, ${number(Math.round(10 * sum(rows, "used") / rows.length) / 10)} a day; ${number(sum(rows, "credits_in"))} came in. Bars: credits used. Line: the balance at the day's end.`} />`;
const FleetDays = () => html`<${Days} path="credits/admin/days" name="The fleet by day" turn=${0} bars="orders" line="enabled" columns=${[["enabled", "On"], ["disabled", "Off"], ["low", "Low"], ...COLUMNS, ["parked", "Parked"]]}
what=${(rows) => rows.length < 2 ? "What a day moves is known from the second day on." : `${counted(sum(rows, "orders"), "order")} used ${credits(sum(rows, "used"))}; ${number(sum(rows, "credits_in"))} came in. Parked: ${counted(sum(rows, "parked"), "message")}. Bars: orders. Line: plugins that are on.`} />`;

return { AccountDays, FleetDays };
})();
m["forms.js"] = (() => {
const { html, useRef, useState } = m["preact.js"];
const { ask } = m["api.js"];
const { Id, Section, Trouble } = m["parts.js"];
const { credits, newKey, number } = m["words.js"];
const MOST = 1_000_000_000;
const UNANSWERED = "credits.adjustment.";
function unanswered(merchant) {
try {
return JSON.parse(sessionStorage.getItem(UNANSWERED + merchant));
} catch {
return null;
}
}
function whole(text) {
return /^[0-9]+$/.test(text.trim()) ? Number(text) : NaN;
}
function effect(account, direction, amount) {
if (!(amount >= 1)) return { said: "Give whole credits, from 1.", possible: false };
if (amount > MOST) return { said: `At most ${credits(MOST)} at once.`, possible: false };
const paid = direction === "INCREASE" ? Math.min(amount, account.debt) : 0;
const after = account.balance + (direction === "INCREASE" ? amount - paid : -amount);
if (after < 0) {
return { said: `The balance is ${number(account.balance)}: ${credits(amount)} cannot be taken from it.`, possible: false };
}
const { status, reason } = account.plugin_status;
const on = after > 0 || reason === "grace";
const plugin = ["closed", "frozen"].includes(reason) ? `The plugin stays off: the account is ${reason}.` : `The plugin ${on === (status === "enabled") ? "stays" : "goes"} ${on ? "on" : "off"}.`;
const debt = paid ? ` ${credits(paid)} of it pay debt.` : "";
const low = after > 0 && after <= account.threshold ? ` That is low: the threshold is ${number(account.threshold)}.` : "";
return { said: `Balance ${number(account.balance)} → ${number(after)}.${debt} ${plugin}${low}`, possible: true };
}
function Outcome({ account, outcome, another, undo }) {
const { repeated, record } = outcome;
return html`<div class="done" role="status"><p><strong>${repeated ? "Already applied." : "Applied."}</strong>${repeated ? " This form's adjustment had been recorded before; nothing was moved again." : ""}${` ${record.amount > 0 ? "Added" : "Removed"} ${credits(record.credits_used)}: balance ${number(record.balance_before)} → ${number(record.balance_after)}.`}</p><p>Transaction <${Id} of=${record.id} to="transaction" /></p><button type="button" onClick=${another}>Another adjustment</button> ${account.updated_at >= record.created_at && html`<button type="button" class="quiet" onClick=${() => undo(record)}>Undo it</button>`}</div>`;
}
function Adjust({ account, done }) {
const [before] = useState(() => unanswered(account.merchant_id));
const key = useRef(before?.key ?? newKey());
const [direction, setDirection] = useState(before?.direction ?? "INCREASE");
const [amount, setAmount] = useState(before?.amount ?? "");
const [reason, setReason] = useState(before?.reason ?? "");
const [state, setState] = useState({
busy: false,
error: before && { title: "This adjustment was sent, but no answer came.", advice: "", unsure: true },
outcome: null,
});
const preview = effect(account, direction, whole(amount));
const possible = (preview.possible || (state.error?.unsure && whole(amount) >= 1)) && reason.trim() !== "";
const send = async (event) => {
event.preventDefault();
if (!possible || state.busy) return;
setState((last) => ({ ...last, busy: true }));
sessionStorage.setItem(UNANSWERED + account.merchant_id, JSON.stringify({ key: key.current, direction, amount, reason }));
try {
const answer = await ask("credits/admin/adjustments", {
method: "POST",
headers: { "Idempotency-Key": key.current },
body: { merchant_id: account.merchant_id, operation_type: direction, credits: whole(amount), reason: reason.trim() },
});
sessionStorage.removeItem(UNANSWERED + account.merchant_id);
setState({ busy: false, error: null, outcome: { repeated: answer.status === 200, record: answer.data } });
done();
} catch (error) {
if (!error.unsure) sessionStorage.removeItem(UNANSWERED + account.merchant_id);
setState({ busy: false, error, outcome: null });
}
};
const another = () => {
sessionStorage.removeItem(UNANSWERED + account.merchant_id);
key.current = newKey();
setAmount("");
setReason("");
setState({ busy: false, error: null, outcome: null });
};
const undo = (record) => {
another();
setDirection(record.amount > 0 ? "DECREASE" : "INCREASE");
setAmount(String(Math.abs(record.amount)));
setReason(`Undo of transaction ${record.id}`);
};
return html`<${Section} name="Adjust credits">${state.outcome ? html`<${Outcome} account=${account} outcome=${state.outcome} another=${another} undo=${undo} />` : html`<form onSubmit=${send}><fieldset><legend>Direction</legend>${[["INCREASE", "Add"], ["DECREASE", "Remove"]].map(([value, name]) => html`<label class="choice" key=${value}><input type="radio" name="direction" value=${value} checked=${direction === value} onChange=${() => setDirection(value)} /> ${name}</label>`)}</fieldset><label for="amount">Credits</label><input id="amount" inputmode="numeric" autocomplete="off" required value=${amount} aria-describedby="effect" onInput=${(event) => setAmount(event.currentTarget.value)} /><label for="reason">Reason</label><input id="reason" autocomplete="off" maxlength="500" required value=${reason} placeholder="for whoever reads the ledger later" onInput=${(event) => setReason(event.currentTarget.value)} /><p id="effect" class="effect" data-test="effect" aria-live="polite">${amount ? preview.said : "Its effect is shown here first."}</p><${Trouble} error=${state.error} also=${state.error?.unsure
? html`<p>It may have been applied. Send it again: under this form's key it counts once.</p>`
: state.error?.code === "KEY_REUSED" && html`<p>This form was applied before with other content. <button type="button" class="quiet" onClick=${another}>Start a new one</button></p>`} /><button class="main" type="submit" disabled=${!possible || state.busy}>${state.busy ? "Sending…" : state.error?.unsure ? "Send again" : `${direction === "INCREASE" ? "Add" : "Remove"} ${whole(amount) >= 1 ? credits(whole(amount)) : "credits"}`}</button></form>`}<//>`;
}
function Threshold({ account, done }) {
const own = account.low_balance_threshold;
const [text, setText] = useState(own === null ? "" : String(own));
const [state, setState] = useState({ busy: false, error: null, said: null });
const value = text.trim() === "" ? null : whole(text);
const wrong = value !== null && !(value >= 0 && value <= MOST);
const set = async (event, wanted) => {
event.preventDefault();
if (wrong && wanted !== null) return;
setState({ busy: true, error: null, said: null });
try {
const { data } = await ask(`credits/admin/accounts/${account.merchant_id}/low-balance-threshold`, {
method: "PUT",
body: { low_balance_threshold: wanted },
});
setState({ busy: false, error: null, said: `Low at ${number(data.threshold)} from now on.` });
done();
} catch (error) {
setState({ busy: false, error, said: null });
}
};
return html`<${Section} name="Low-balance threshold"><p>${own === null ? html`The default applies: low at ${number(account.threshold)}.` : html`A custom threshold: low at ${number(own)}.`}</p><form class="inline" onSubmit=${(event) => set(event, value)}><label for="threshold">Custom threshold</label><input id="threshold" inputmode="numeric" autocomplete="off" value=${text} aria-invalid=${wrong ? "true" : undefined} placeholder=${number(account.threshold)} onInput=${(event) => setText(event.currentTarget.value)} /><button type="submit" disabled=${state.busy || wrong || value === null}>Set</button>${own !== null && html`<button type="button" class="quiet" disabled=${state.busy} onClick=${(event) => set(event, null)}>Back to the default</button>`}</form>${wrong && html`<p class="wrong" role="alert">Whole credits, from 0 to ${number(MOST)}.</p>`}<div aria-live="polite">${state.said && html`<p class="good">${state.said}</p>`}</div><${Trouble} error=${state.error} /><//>`;
}

return { Adjust, Threshold };
})();
m["freezing.js"] = (() => {
const { html, useRef, useState } = m["preact.js"];
const { ask } = m["api.js"];
const { Section, Time, Trouble } = m["parts.js"];
const { newKey, visible } = m["words.js"];
function Frozen({ freeze }) {
return html`<p class="wrong" role="status" data-test="frozen"><strong>Frozen</strong> since <${Time} at=${freeze.since} /> by ${visible(freeze.admin_id)}, until ${freeze.until ? html`<${Time} at=${freeze.until} />` : "it is unfrozen"}: ${visible(freeze.reason)}. Everything is recorded as ever.</p>`;
}
function Freeze({ account, done }) {
const { freeze } = account;
const key = useRef(newKey());
const [reason, setReason] = useState("");
const [until, setUntil] = useState("");
const [state, setState] = useState({});
const past = until && !(new Date(until) > new Date());
const send = async (method, options, said) => {
setState({ busy: true });
try {
await ask(`credits/admin/accounts/${account.merchant_id}/freeze`, { method, headers: { "Idempotency-Key": key.current }, ...options });
key.current = newKey();
setReason("");
setUntil("");
setState({ said });
done();
} catch (error) {
if (!error.unsure) key.current = newKey();
setState({ error });
}
};
const freezes = (event) => {
event.preventDefault();
send("PUT", { body: { reason: reason.trim(), until: until ? new Date(until).toISOString() : null } }, "Frozen.");
};
return html`<${Section} name="Freeze"><p>Switches the plugin off whatever the balance.</p><form onSubmit=${freezes}><label for="freeze-reason">Reason for it</label><input id="freeze-reason" autocomplete="off" maxlength="500" value=${reason} onInput=${(event) => setReason(event.currentTarget.value)} /><label for="freeze-until">Until (optional)</label><input id="freeze-until" type="datetime-local" value=${until} onInput=${(event) => setUntil(event.currentTarget.value)} />${past && html`<p class="wrong" role="alert">The end must be in the future.</p>`}<button type="submit" disabled=${!reason.trim() || past || state.busy}>${freeze ? "Replace the freeze" : "Freeze the account"}</button>${freeze && html` <button type="button" class="quiet" disabled=${state.busy} onClick=${() => send("DELETE", { parameters: { reason: reason.trim() } }, "Unfrozen.")}>Unfreeze</button>`}</form><div aria-live="polite">${state.said && html`<p class="good">${state.said}</p>`}</div><${Trouble} error=${state.error} /><//>`;
}

return { Frozen, Freeze };
})();
m["chain.js"] = (() => {
const GENESIS = "0".repeat(64);
const FIELDS = [
"schema_version", "transaction_id", "merchant_id", "sequence", "operation_type", "transaction_type", "amount",
"requested", "shortfall", "threshold", "balance_before", "balance_after", "idempotency_key", "reference_id",
"extra_metadata", "correlation_id", "occurred_at", "created_at", "drawn",
];
function sorted(value) {
if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
return Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]));
}
function canonical(record) {
const said = { ...record, transaction_id: record.id };
const empty = (value) => value === null || value === undefined || (Array.isArray(value) && !value.length);
const form = FIELDS.filter((name) => !empty(said[name]));
return JSON.stringify(sorted(Object.fromEntries(form.map((name) => [name, said[name]]))));
}
const canCheck = () => Boolean(globalThis.crypto?.subtle);
async function hashOf(record) {
const bytes = new TextEncoder().encode(`${record.previous_hash}\n${canonical(record)}`);
const digest = await crypto.subtle.digest("SHA-256", bytes);
return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
const adds = (record) => record.balance_before + record.amount === record.balance_after;
function follows(record, previous) {
if (!previous) return record.sequence === 1 && record.previous_hash === GENESIS && record.balance_before === 0;
return (
record.sequence === previous.sequence + 1 &&
record.previous_hash === previous.hash &&
record.balance_before === previous.balance_after
);
}
async function broken(records, older) {
const found = [];
for (let place = 0; place < records.length; place += 1) {
const record = records[place];
const previous = records[place + 1] ?? older;
const linked = previous || record.sequence === 1 ? follows(record, previous) : true;
if (!linked || !adds(record) || (await hashOf(record)) !== record.hash) found.push(record.sequence);
}
return found;
}

return { GENESIS, canonical, canCheck, hashOf, adds, follows, broken };
})();
m["ledger.js"] = (() => {
const { html, useEffect, useRef, useState } = m["preact.js"];
const { ask } = m["api.js"];
const { broken, canCheck } = m["chain.js"];
const { Pages, Scroll, Section, Time, Trouble, usePages } = m["parts.js"];
const { called, counted, number, signed, TYPES } = m["words.js"];
const PAGE = 25;
const CHAIN_PAGE = 100;
const NO_FILTERS = { transaction_type: "", operation_type: "", start_date: "", end_date: "" };
const page = (id, parameters) => ask("credits/transactions", { parameters: { merchant_id: id, ...parameters } });
function Filters({ filters, set }) {
const change = (name) => (event) => set({ ...filters, [name]: event.currentTarget.value });
return html`<form class="filters" aria-label="Filter the ledger" onSubmit=${(event) => event.preventDefault()}><div><label for="type">Type</label><select id="type" value=${filters.transaction_type} onChange=${change("transaction_type")}><option value="">all types</option>${Object.entries(TYPES).map(([type, name]) => html`<option key=${type} value=${type}>${name}s</option>`)}</select></div><div><label for="way">Direction</label><select id="way" value=${filters.operation_type} onChange=${change("operation_type")}><option value="">both</option><option value="INCREASE">in</option><option value="DECREASE">out</option></select></div><div><label for="from">From (UTC)</label><input id="from" type="date" value=${filters.start_date} onChange=${change("start_date")} /></div><div><label for="to">To (UTC)</label><input id="to" type="date" value=${filters.end_date} onChange=${change("end_date")} /></div><button type="button" class="quiet" onClick=${() => set(NO_FILTERS)}>Clear filters</button></form>`;
}
function Row({ record }) {
const note = record.extra_metadata.reason ?? (record.shortfall ? `${number(record.shortfall)} short` : "");
return html`<tr><td class="num wide">${number(record.sequence)}</td><td><${Time} at=${record.created_at} brief /></td><td><a href="#/transaction/${record.id}">${called(record)} <span class="ref">${record.transaction_type === "TRIAL" ? "" : record.reference_id}</span></a>${note && html`<span class="small muted note">${note}</span>`}</td><td class="num ${record.amount > 0 ? "good" : ""}">${signed(record.amount)}</td><td class="num">${number(record.balance_after)}</td></tr>`;
}
function More({ more, busy }) {
const place = useRef(null);
useEffect(() => {
const watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && more(), { rootMargin: "200px" });
watch.observe(place.current);
return () => watch.disconnect();
});
return html`<button type="button" class="more" ref=${place} disabled=${busy} onClick=${more}>${busy ? "Reading…" : "Older transactions"}</button>`;
}
function Chain({ id }) {
const [state, setState] = useState(null);
const stopped = useRef(false);
useEffect(() => () => { stopped.current = true; }, []);
const check = async () => {
stopped.current = false;
let [cursor, checked, held, wrong] = [null, 0, [], []];
try {
do {
const { data, pagination } = await page(id, { limit: CHAIN_PAGE, cursor });
cursor = pagination.next_cursor;
const rows = [...held, ...data];
held = cursor ? rows.slice(-1) : [];
wrong = [...wrong, ...(await broken(cursor ? rows.slice(0, -1) : rows, held[0]))];
checked += cursor ? rows.length - 1 : rows.length;
setState({ checked, wrong, done: !cursor });
} while (cursor && !stopped.current);
} catch (error) {
setState({ checked, wrong, error });
}
};
if (!canCheck()) return html`<p class="small muted">This page is not on a secure address, so the browser cannot check the chain.</p>`;
return html`<div class="chain"><button type="button" onClick=${check} disabled=${state && !state.done && !state.error}>Check the whole chain</button><p role="status" data-test="chain">${state && (state.wrong.length
? html`<strong class="bad">The chain is broken at ${state.wrong.map(number).join(", ")}.</strong> Tell the engineers: a transaction was changed, removed or inserted.`
: state.done ? html`<strong class="good">${counted(state.checked, "transaction")}: every hash and every balance is right.</strong>`
: !state.error && `${counted(state.checked, "transaction")} so far…`)}</p><${Trouble} error=${state?.error} retry=${check} /></div>`;
}
function Ledger({ id, newest, turn }) {
const [filters, setFilters] = useState(NO_FILTERS);
const backwards = filters.start_date && filters.end_date && filters.start_date > filters.end_date;
const read = (cursor) => (backwards ? Promise.resolve({ data: [], pagination: {} }) : page(id, { ...filters, limit: PAGE, cursor }));
const pages = usePages(read, [id, turn, JSON.stringify(filters)]);
const { rows, older, more } = pages;
const known = useRef(newest);
useEffect(() => {
if (known.current !== newest && older.rows.length === 0) pages.reload();
known.current = newest;
}, [newest]);
const total = pages.data?.pagination.total;
return html`<${Section} name="Ledger" first kind="card ledger" title=${html`Ledger ${typeof total === "number" && html`<span class="small muted">${counted(total, "transaction")}</span>`}`}><${Filters} filters=${filters} set=${setFilters} />${backwards && html`<p class="wrong" role="alert">The first day is after the last.</p>`}${rows.length > 0 && html`<${Scroll} name="Transactions, newest first"><table><caption class="sr">Transactions, newest first</caption><thead><tr><th scope="col" class="num wide">No.</th><th scope="col">When</th><th scope="col">Type</th><th scope="col" class="num">Credits</th><th scope="col" class="num">Balance</th></tr></thead><tbody>${rows.map((record) => html`<${Row} key=${record.id} record=${record} />`)}</tbody></table><//>`}<${Pages} of=${pages} none="No transaction matches." button=${html`<${More} more=${more} busy=${older.busy} />`} /><${Chain} id=${id} /><//>`;
}

return { Ledger };
})();
m["links.js"] = (() => {
const { html, useState } = m["preact.js"];
const { ask } = m["api.js"];
const { forgetName } = m["names.js"];
const { Section, Trouble, useLoad } = m["parts.js"];
const { visible } = m["words.js"];
const KINDS = { shopify: ["Shopify shop", "teegeist.myshopify.com"], stripe: ["Stripe customer", "cus_…"] };
function Links({ id, done }) {
const { data, error, reload } = useLoad(() => ask("credits/admin/names", { method: "POST", body: { merchant_ids: [id] } }), [id]);
const names = data?.data.names[id]?.names ?? [];
const [kind, setKind] = useState("shopify");
const [name, setName] = useState("");
const [label, setLabel] = useState("");
const [state, setState] = useState({ busy: false, error: null, said: null });
const change = async (method, full, body, said) => {
setState({ busy: true, error: null, said: null });
const [first, ...rest] = full.split(":");
try {
await ask(`credits/admin/links/${first}/${encodeURIComponent(rest.join(":"))}`, { method, body });
setState({ busy: false, error: null, said });
setName("");
setLabel("");
forgetName(id);
reload();
done();
} catch (error) {
setState({ busy: false, error, said: null });
}
};
const link = (event) => {
event.preventDefault();
const called = label.trim();
change("PUT", `${kind}:${name.trim()}`, { merchant_id: id, ...(called ? { label: called } : {}) }, `Linked. Send its webhooks to ${new URL(`api/v1/webhooks/${kind}`, location)}`);
};
return html`<${Section} name="Shops and customers">${names.length ? html`<ul class="plain">${names.map((one) => html`<li key=${one.name}><code class="name">${visible(one.name)}</code>${one.label && ` ${visible(one.label)}`}<button type="button" class="quiet small" aria-label="Unlink ${one.name}" disabled=${state.busy} onClick=${() => change("DELETE", one.name, undefined, "Unlinked. It may still be used for five minutes.")}>Unlink</button></li>`)}</ul>`
: data && html`<p class="muted">No shop and no customer is linked to this merchant.</p>`}<form onSubmit=${link} aria-label="Link a shop or customer"><label for="kind">Kind</label><select id="kind" value=${kind} onChange=${(event) => setKind(event.currentTarget.value)}>${Object.entries(KINDS).map(([value, [shown]]) => html`<option key=${value} value=${value}>${shown}</option>`)}</select><label for="linked">${kind === "shopify" ? "Domain" : "Customer"}</label><input id="linked" required value=${name} maxlength="255" autocomplete="off" spellcheck=${false} placeholder=${KINDS[kind][1]} onInput=${(event) => setName(event.currentTarget.value)} /><label for="label">Name <span class="muted">(optional)</span></label><input id="label" value=${label} maxlength="255" autocomplete="off" placeholder="what people call the shop" onInput=${(event) => setLabel(event.currentTarget.value)} /><p><button type="submit" disabled=${state.busy || !name.trim()}>${state.busy ? "Linking…" : "Link"}</button></p></form><div aria-live="polite">${state.said && html`<p class="good">${state.said}</p>`}</div><${Trouble} error=${state.error ?? error} /><//>`;
}

return { Links };
})();
m["merchants.js"] = (() => {
const { html, useEffect, useState } = m["preact.js"];
const { ask } = m["api.js"];
const { Shop, useNames } = m["names.js"];
const { Badge, Copy, Id, Pages, Scroll, Time, Title, usePages } = m["parts.js"];
const { number } = m["words.js"];
const PAGE = 50;
const RECENT = "credits.recent";
const RECENT_MOST = 8;
function recent() {
try {
return JSON.parse(sessionStorage.getItem(RECENT)) ?? [];
} catch {
return [];
}
}
function visited(id) {
sessionStorage.setItem(RECENT, JSON.stringify([id, ...recent().filter((one) => one !== id)].slice(0, RECENT_MOST)));
}
function State({ account }) {
if (account.plugin_status.status !== "enabled") return html`<${Badge} tone="bad">off<//>`;
if (!account.balance) return html`<${Badge} tone="warn">grace<//>`;
return account.balance <= account.threshold ? html`<${Badge} tone="warn">low<//>` : html`<${Badge} tone="good">on<//>`;
}
function AccountTable({ rows, name, last = "Last change", at = (row) => html`<${Time} at=${row.updated_at} relative />` }) {
const named = useNames(rows.map((row) => row.merchant_id));
return html`<${Scroll} name=${name} kind="card"><table><thead><tr><th scope="col">Merchant</th><th scope="col">Plugin</th><th scope="col" class="num">Balance</th><th scope="col" class="num wide">Low at</th><th scope="col" class="wide">${last}</th></tr></thead><tbody>${rows.map((row) => html`<tr key=${row.merchant_id}><td>${named(row.merchant_id) && html`<strong><${Shop} id=${row.merchant_id} named=${named} /></strong> `}<span class="nowrap"><${Id} of=${row.merchant_id} to="merchant" /><span class="wide"><${Copy} text=${row.merchant_id} what="the id ${row.merchant_id}" /></span></span></td><td><${State} account=${row} /></td><td class="num">${number(row.balance)}</td><td class="num wide">${number(row.threshold)}</td><td class="wide">${at(row)}</td></tr>`)}</tbody></table><//>`;
}
function Recent() {
const ids = recent();
const named = useNames(ids);
if (!ids.length) return null;
return html`<p class="recent"><span class="muted">Recently visited:</span> ${ids.map((id) => html`<${Shop} key=${id} id=${id} named=${named} />`)}</p>`;
}
function Merchants({ search }) {
const pages = usePages((cursor) => ask("credits/admin/merchants", { parameters: { search, limit: PAGE, cursor } }), [search]);
const [text, setText] = useState(search);
useEffect(() => setText(search), [search]);
const send = (event) => {
event.preventDefault();
location.hash = `#/merchants/${encodeURIComponent(text.trim())}`;
};
return html`<${Title} name="Merchants">Merchants<//><form class="filters" role="search" aria-label="Filter the merchants" onSubmit=${send}><div class="grow"><label for="starting">Name, domain or id (the beginning is enough)</label><input id="starting" value=${text} autocomplete="off" spellcheck=${false} maxlength="255" placeholder="Last Penny Books, last-penny.myshopify.com or 4f1c6f0e" onInput=${(event) => setText(event.currentTarget.value)} /></div><button type="submit">Filter</button><a class="button" href="#/off">Off</a><a class="button" href="#/low">Low</a><a class="button" href="#/week">Out within a week</a></form><${Recent} />${pages.rows.length > 0 && html`<${AccountTable} rows=${pages.rows} name="Merchants" />`}<${Pages} of=${pages} none="No merchant matches." />`;
}

return { recent, visited, AccountTable, Merchants };
})();
m["papers.js"] = (() => {
const { html, useEffect, useRef, useState } = m["preact.js"];
const { ask, askText } = m["api.js"];
const { Scroll, Section, Trouble, useLoad, Waiting } = m["parts.js"];
const { credits, number, signed, TYPES } = m["words.js"];
const PAGE = 100;
const FORMS = { csv: "text/csv", jsonl: "application/x-ndjson" };
const monthName = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric", timeZone: "UTC" });
const named = (month) => monthName.format(new Date(`${month}-01T00:00:00Z`));
function months(opened) {
const found = [];
const [year, month] = opened.split("-").map(Number);
const now = new Date();
for (let turn = now.getUTCFullYear() * 12 + now.getUTCMonth(); turn >= year * 12 + month - 1; turn -= 1) {
found.push(`${String(Math.floor(turn / 12)).padStart(4, "0")}-${String((turn % 12) + 1).padStart(2, "0")}`);
}
return found;
}
function bounds(month) {
const [year, number] = month.split("-").map(Number);
const ends = new Date(Date.UTC(year, number, 1) - 1).toISOString();
return { start_date: `${month}-01T00:00:00.000Z`, end_date: ends };
}
function save(parts, name, type) {
const link = document.createElement("a");
link.href = URL.createObjectURL(new Blob(parts, { type }));
link.download = name;
link.click();
setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
function Months({ account, month, set }) {
return html`<label for="month">Month (UTC)</label><select id="month" value=${month} onChange=${(event) => set(event.currentTarget.value)}>${months(account.created_at).map((one) => html`<option key=${one} value=${one}>${named(one)}</option>`)}</select>`;
}
function Statement({ id, month, newest }) {
const place = `credits/accounts/${id}/statements/${month}`;
const { data, error, loading, reload } = useLoad(() => ask(place), [place, newest]);
const [failed, setFailed] = useState(null);
const said = data?.data;
const print = async () => {
setFailed(null);
try {
const { text } = await askText(place, { accept: "text/html" });
save([text], `statement-${id}-${month}.html`, "text/html");
} catch (refused) {
setFailed(refused);
}
};
return html`<${Trouble} error=${error ?? failed} retry=${error ? reload : print} />${loading && !said && html`<${Waiting} what="Reading the statement…" />`}${said && html`<${Scroll} name=${named(month)}><table data-test="statement"><caption class="sr">What moved in ${named(month)}</caption><thead><tr><th scope="col">Type</th><th scope="col" class="num">Count</th><th scope="col" class="num">Credits</th></tr></thead><tbody><tr><th scope="row">Opening balance</th><td></td><td class="num">${number(said.opening.balance)}</td></tr>${Object.entries(said.by_type).map(([type, total]) => html`<tr key=${type}><th scope="row">${TYPES[type] ?? type}</th><td class="num">${number(total.increases + total.decreases)}</td><td class="num">${signed(total.credits_in - total.credits_out)}</td></tr>`)}<tr><th scope="row"><strong>${said.open ? "Balance now" : "Closing balance"}</strong></th><td class="num">${number(said.transaction_count)}</td><td class="num"><strong>${number(said.closing.balance)}</strong></td></tr></tbody></table><//>${said.total_shortfall > 0 && html`<p class="small muted">Shortfall: ${credits(said.total_shortfall)}.</p>`}<p><button type="button" onClick=${print}>Download to print</button></p>`}`;
}
function Export({ id, month }) {
const [all, setAll] = useState(false);
const [state, setState] = useState({ rows: 0, busy: false, error: null, done: false });
const open = useRef(true);
useEffect(() => () => { open.current = false; }, []);
const write = async (form) => {
const parts = [];
let cursor = null;
let rows = 0;
setState({ rows, busy: true, error: null, done: false });
try {
do {
const parameters = { merchant_id: id, limit: PAGE, cursor, ...(all ? {} : bounds(month)) };
const { text, next } = await askText("credits/transactions", { accept: FORMS[form], parameters });
const lines = form === "csv" && parts.length ? text.slice(text.indexOf("\n") + 1) : text;
parts.push(lines);
rows += PAGE;
cursor = next;
setState({ rows, busy: true, error: null, done: false });
} while (cursor && open.current);
if (open.current) save(parts, `transactions-${id}${all ? "" : `-${month}`}.${form}`, FORMS[form]);
setState({ rows, busy: false, error: null, done: true });
} catch (error) {
setState({ rows, busy: false, error, done: false });
}
};
return html`<fieldset><legend>Transactions as a file</legend><label class="choice"><input type="radio" name="range" checked=${!all} onChange=${() => setAll(false)} /> Of this month</label><label class="choice"><input type="radio" name="range" checked=${all} onChange=${() => setAll(true)} /> All</label></fieldset><p><button type="button" disabled=${state.busy} onClick=${() => write("csv")}>CSV</button> <button type="button" disabled=${state.busy} onClick=${() => write("jsonl")}>JSON Lines</button></p><div role="status" class="small muted" data-test="export">${state.busy && `About ${number(state.rows)} rows so far…`}${state.done && "The file is among your downloads, newest first."}</div><${Trouble} error=${state.error} />`;
}
function Papers({ account }) {
const id = account.merchant_id;
const [month, setMonth] = useState(() => months(account.created_at)[0]);
return html`<${Section} name="Statement and export"><${Months} account=${account} month=${month} set=${setMonth} /><${Statement} key=${month} id=${id} month=${month} newest=${account.last_transaction_id} /><${Export} id=${id} month=${month} /><//>`;
}

return { Papers };
})();
m["merchant.js"] = (() => {
const { html, useEffect, useRef, useState } = m["preact.js"];
const { ask } = m["api.js"];
const { ActionsOf } = m["actions.js"];
const { Chart } = m["chart.js"];
const { AccountDays } = m["days.js"];
const { Adjust, Threshold } = m["forms.js"];
const { Freeze, Frozen } = m["freezing.js"];
const { Ledger } = m["ledger.js"];
const { Links } = m["links.js"];
const { visited } = m["merchants.js"];
const { useNames } = m["names.js"];
const { Papers } = m["papers.js"];
const { Copy, EventName, Id, Scroll, Section, Term, Time, Title, Trouble, useEvery, useLoad, Waiting } = m["parts.js"];
const { credits, daysLeft, number, TYPES } = m["words.js"];
const EVERY_SECONDS = 5;
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
function Status({ account, story }) {
const on = account.plugin_status.status === "enabled";
return html`<section class="status ${on ? "on" : "off"}" aria-labelledby="status-title"><div class="state"><h2 id="status-title">The <${Term} of="plugin">plugin<//> is <strong>${on ? "on" : "off"}</strong></h2><p>since <${Time} at=${account.plugin_status.since} /> <span class="muted">(<${Time} at=${account.plugin_status.since} relative />)</span></p></div><dl class="balance"><div><dt><${Term} of="account">Balance<//></dt><dd data-test="balance">${number(account.balance)}</dd></div><div><dt><${Term} of="threshold">Low at<//></dt><dd>${number(account.threshold)}</dd></div><div><dt><${Term} of="shortfall">Shortfall<//></dt><dd>${number(account.total_shortfall)}</dd></div>${account.runway && account.balance > 0 && html`<div><dt>Days left</dt><dd data-test="days-left">${daysLeft(account.runway)}</dd></div>${account.runway.empty_on && html`<div><dt>Empty on (UTC)</dt><dd data-test="empty-on"><time datetime=${account.runway.empty_on}>${DATE.format(new Date(account.runway.empty_on))}</time></dd></div>`}`}${account.debt > 0 && html`<div><dt>Debt</dt><dd class="bad" data-test="debt">${number(account.debt)}</dd></div>`}</dl>${account.freeze && html`<${Frozen} freeze=${account.freeze} />`}${story && html`<p class="why" data-test="why"><strong>Why?</strong> ${story.because}${account.plugin_status.transaction_id && html` <a href="#/transaction/${account.plugin_status.transaction_id}">That transaction</a>.`}${story.since_then && html` ${story.since_then}`} ${story.remedy && html` <span>${story.remedy}</span>`}${on && account.balance > 0 && account.balance <= account.threshold && html` <span>The balance is low: ${credits(account.balance)} left, the threshold is ${number(account.threshold)}.</span>`}</p>`}${account.levels?.levels.length > 0 && html`<p class="small" data-test="levels">${account.levels.own ? "Its own levels" : "Levels"}: ${account.levels.levels
.map((level) => `${level.name} (${number(level.at)} ${level.unit})${level.below ? ", below it now" : ""}`).join("; ")}.</p>`}</section>`;
}
function Chapters({ story }) {
return html`<${Section} name="What led to it, and what was published"><ol class="story">${story.chapters.map((chapter) => html`<li key=${`${chapter.time}${chapter.sequence}`}><p class="when"><${Time} at=${chapter.time} />${chapter.transaction_id && html` · <a href="#/transaction/${chapter.transaction_id}">transaction ${number(chapter.sequence)}</a>`}</p><p>${chapter.sentence}</p>${chapter.events.length > 0 && html`<ul class="said">${chapter.events.map((event) => html`<li key=${event.event_id ?? event.event_type}><${EventName} of=${event.event_type} title=${event.event_id ?? "no id can be derived"} /></li>`)}</ul>`}</li>`)}</ol><p class="small muted">${story.source}${story.complete ? "" : " The history is long: only the transactions around this one were read."}</p><//>`;
}
function Totals({ account }) {
const rows = Object.entries(account.totals);
return html`<${Section} name="Totals"><${Scroll} name="By type"><table><thead><tr><th scope="col">Type</th><th scope="col" class="num">Count</th><th scope="col" class="num">In</th><th scope="col" class="num">Out</th></tr></thead><tbody>${rows.map(([type, total]) => html`<tr key=${type}><th scope="row">${TYPES[type] ?? type}</th><td class="num">${number(total.increases + total.decreases)}</td><td class="num">${number(total.credits_in)}</td><td class="num">${number(total.credits_out)}</td></tr>`)}</tbody></table><//><p class="small muted">Opened <${Time} at=${account.created_at} />.</p><//>`;
}
function Merchant({ id, admin }) {
const [turn, setTurn] = useState(0);
const { data, error, reload } = useLoad(() => ask(`credits/accounts/${id}`), [id]);
const known = data?.data;
const seen = known?.updated_at;
const story = useLoad(() => (seen ? ask(`credits/accounts/${id}/story`) : Promise.resolve(null)), [id, seen]);
const told = useRef(null);
told.current = story.data?.data ?? told.current;
useEvery(EVERY_SECONDS, reload);
const name = useNames(admin ? [id] : [])(id);
useEffect(() => { if (known) visited(id); }, [Boolean(known), id]);
const changed = () => { reload(); setTurn((before) => before + 1); };
return html`<${Title} name=${name ?? `Merchant ${id.slice(0, 8)}`}>${name ? html`${name} <span class="small muted">Merchant <${Id} of=${id} whole /></span>` : html`Merchant <${Id} of=${id} whole />`} <${Copy} text=${id} what="the merchant's id" /><//>${error?.status === 404 ? html`<p class="said">This merchant has no account. Its first event may not have arrived, or may be among its <a href="#/dead-letters/-/${id}">dead letters</a>.</p>`
: html`<${Trouble} error=${error} retry=${reload} />`}${!known && !error && html`<${Waiting} what="Reading the account…" />`}${known && html`
<${Status} account=${known} story=${told.current} /><${Trouble} error=${story.error} retry=${story.reload} /><div class="columns"><div><${Chart} account=${known} /><${AccountDays} id=${id} newest=${known.last_transaction_id} />${told.current && html`<${Chapters} story=${told.current} />`}</div><div>${admin && html`<${Adjust} key=${known.merchant_id} account=${known} done=${changed} /><${Threshold} key=${`${known.low_balance_threshold}`} account=${known} done=${changed} /><${Freeze} account=${known} done=${changed} />`}<${Totals} account=${known} /><${Papers} account=${known} />${admin && html`<${Links} id=${id} done=${changed} />`}${admin && html`<${ActionsOf} merchant=${id} turn=${turn} />`}</div></div><${Ledger} id=${id} newest=${known.last_transaction_id} turn=${turn} />`}`;
}

return { Merchant };
})();
m["overview.js"] = (() => {
const { html, useRef, useState } = m["preact.js"];
const { ask } = m["api.js"];
const { FleetDays } = m["days.js"];
const { AccountTable } = m["merchants.js"];
const { Shop, useNames } = m["names.js"];
const { Badge, Pages, Section, Term, Time, Title, Trouble, useEvery, useLoad, usePages, Waiting } = m["parts.js"];
const { ago, EVENTS, inDays, number, shortTime } = m["words.js"];
const EVERY_SECONDS = 3;
const KEPT = 40;
const WINDOW_SECONDS = 60;
function useReadings(now) {
const readings = useRef([]);
if (now && readings.current.at(-1)?.as_of !== now.as_of) readings.current = [...readings.current, now].slice(-KEPT);
return readings.current;
}
const seconds = (later, earlier) => (new Date(later.as_of) - new Date(earlier.as_of)) / 1000;
function rate(readings, name) {
const last = readings.at(-1);
const first = readings.find((one) => seconds(last, one) <= WINDOW_SECONDS);
const passed = last && first ? seconds(last, first) : 0;
return passed > 0 ? (60 * (last[name] - first[name])) / passed : null;
}
function oldest(readings) {
const last = readings.at(-1);
const first = readings.find((one) => seconds(last, one) <= WINDOW_SECONDS);
const batches = last.batches - first.batches;
return batches > 0 ? Math.max(0, last.oldest_message_seconds - first.oldest_message_seconds) / batches : null;
}
function grown(readings, name) {
const last = readings.at(-1);
const first = readings.find((one) => seconds(last, one) <= WINDOW_SECONDS);
return first ? last[name] - first[name] : 0;
}
function Spark({ readings }) {
const rates = readings.slice(1).map((one, place) => {
const passed = seconds(one, readings[place]);
return passed > 0 ? (60 * (one.orders - readings[place].orders)) / passed : 0;
});
if (rates.length < 2) return html`<svg class="spark" viewBox="0 0 100 24" aria-hidden="true"></svg>`;
const most = Math.max(...rates, 1);
const points = rates.map((value, place) => `${(100 * place) / (rates.length - 1)},${23 - (21 * value) / most}`);
return html`<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><polyline points=${points.join(" ")} fill="none" stroke="currentColor" stroke-width="1.5" vector-effect="non-scaling-stroke" /></svg>`;
}
function Figure({ name, value, note, tone, to }) {
return html`<div class="figure"><dt>${name}</dt><dd class=${tone ?? ""}>${value}</dd>${note && html`<dd class="note">${to ? html`<a href=${to} aria-label="${name}: ${note}">${note}</a>` : note}</dd>`}</div>`;
}
function Live({ readings }) {
const now = readings.at(-1);
const orders = rate(readings, "orders");
const lately = (name) => `+${number(grown(readings, name))} in the last minute`;
const beat = now.bridge_seen_at && (new Date(now.as_of) - new Date(now.bridge_seen_at)) / 1000;
return html`<${Section} name="At this moment" first kind="card live" title=${html`At this moment <span class="small muted">as of ${shortTime(now.as_of)}</span>`}><dl class="figures"><div class="figure wide"><dt>Orders a minute</dt><dd data-test="orders">${orders === null ? "…" : number(Math.round(orders))}</dd><dd><${Spark} readings=${readings} /></dd></div><${Figure} name="Duplicates" value=${number(now.duplicates)} note=${lately("duplicates")} /><${Figure} name="Conflicts" value=${number(now.conflicts)} note=${lately("conflicts")} /><${Figure} name="Ignored" value=${number(now.ignored)} note=${lately("ignored")} /><${Figure} name="Inbox" value=${number(now.inbox.waiting)} note=${`${number(now.inbox.under_way)} under way`} /><${Figure} name="Oldest message" value=${oldest(readings) === null ? "none" : `${number(Math.round(10 * oldest(readings)) / 10)} s`} note="in the last minute" /><${Figure} name="Dead letters" value=${number(now.dead_letters)} tone=${now.dead_letters ? "bad" : "good"} to="#/dead-letters" note=${now.dead_letters ? "look at them" : "nothing is parked"} /><${Figure} name="Bridge" value=${beat === null ? "never seen" : beat > 45 ? "silent" : "alive"} tone=${beat === null || beat > 45 ? "bad" : "good"} note=${now.bridge_seen_at ? ago(now.bridge_seen_at, new Date(now.as_of)) : "no heartbeat yet"} /></dl><//>`;
}
function Fleet({ fleet }) {
return html`<${Section} name="The fleet" first><dl class="figures"><${Figure} name=${html`<${Term} of="merchant">Merchants<//>`} value=${number(fleet.total_merchants)} /><${Figure} name=${html`<${Term} of="plugin">Plugins<//> on`} value=${number(fleet.enabled_count)} tone="good" note=${`${number(fleet.enabled_percentage)} %`} /><${Figure} name="Plugins off" value=${number(fleet.disabled_count)} tone=${fleet.disabled_count ? "bad" : ""} to="#/off" note="list them" /><${Figure} name="Running low" value=${number(fleet.low_balance_count)} tone=${fleet.low_balance_count ? "warn" : ""} to="#/low" note="list them" /><${Figure} name=${html`<${Term} of="credit">Credits<//> a merchant`} value=${number(Math.round(fleet.average_balance))} note="on average" /></dl><//>`;
}
function Events({ events }) {
const named = useNames(events.map((event) => event.merchant_id));
return html`<${Section} name="Latest threshold events">${events.length ? html`<ol class="events">${events.map((event) => {
const [words, tone] = EVENTS[event.event_type] ?? [event.event_type, "plain"];
const on = event.status === "enabled";
return html`<li key=${event.event_id}><${Badge} tone=${event.status ? (on ? "good" : "bad") : tone}>${event.status ? `Plugin ${on ? "on" : "off"}` : words}<//><${Shop} id=${event.merchant_id} named=${named} /><span>balance ${number(event.balance)}</span><span class="small muted"><${Time} at=${event.time} relative /></span></li>`;
})}</ol>` : html`<p class="muted">No balance has passed a threshold yet.</p>`}<p class="small muted">Each is a <${Term} of="crossing">crossing<//>.</p><//>`;
}
function Overview() {
const { data, error, reload } = useLoad(() => ask("credits/admin/activity"), []);
const readings = useReadings(data?.data);
useEvery(EVERY_SECONDS, reload);
return html`<${Title} name="Overview">Overview<//><${Trouble} error=${error} retry=${reload} />${!data && !error && html`<${Waiting} what="Reading the figures…" />`}${data && html`<${Live} readings=${readings} /><${Fleet} fleet=${data.data.fleet} /><${FleetDays} /><${Events} events=${data.data.threshold_events} />`}`;
}
const LISTS = {
off: ["merchants", "Merchants whose plugin is off", "No plugin is off.", { status: "disabled" }],
low: ["low-balance", "Merchants with a low balance", "No balance is low."],
week: ["low-balance", "Merchants that run out within a week", "No low balance is expected to be used up within a week.", { days: 7 }],
};
const LAST = {
off: ["Off since", (row) => html`<${Time} at=${row.plugin_status.since} relative />`],
low: [],
week: ["Runs out", (row) => inDays(row.runway)],
};
function Accounts({ which }) {
const [path, title, none, narrowed] = LISTS[which];
const pages = usePages((cursor) => ask(`credits/admin/${path}`, { parameters: { limit: 50, cursor, ...narrowed } }), [which]);
const [last, at] = LAST[which];
return html`<${Title} name=${title}>${title}<//>${pages.rows.length > 0 && html`<${AccountTable} rows=${pages.rows} name=${title} last=${last} at=${at} />`}<${Pages} of=${pages} none=${none} />`;
}

return { Overview, Accounts };
})();
m["transaction.js"] = (() => {
const { html, useEffect, useState } = m["preact.js"];
const { ask } = m["api.js"];
const { adds, canCheck, canonical, follows, GENESIS, hashOf } = m["chain.js"];
const { useNames } = m["names.js"];
const { Id, Section, Time, Title, Trouble, useLoad, Waiting } = m["parts.js"];
const { called, credits, number, signed } = m["words.js"];
const TRIES = 4;
async function recordAt(merchant, sequence) {
let page = 1;
for (let turn = 0; turn < TRIES; turn += 1) {
const { data } = await ask("credits/transactions", { parameters: { merchant_id: merchant, limit: 1, page } });
if (!data.length || data[0].sequence === sequence) return data[0] ?? null;
if (page === 1 && data[0].sequence < sequence) return null;
page += data[0].sequence - sequence;
}
return null;
}
async function checked(record) {
const [previous, next, hash] = await Promise.all([
record.sequence > 1 ? recordAt(record.merchant_id, record.sequence - 1) : null,
recordAt(record.merchant_id, record.sequence + 1),
hashOf(record),
]);
const first = record.sequence === 1;
return [
[hash === record.hash, "Its content matches its hash", `SHA-256, computed in this browser: ${hash}`],
[adds(record), "Its balances add up", `${number(record.balance_before)} ${record.amount < 0 ? "−" : "+"} ${number(Math.abs(record.amount))} = ${number(record.balance_after)}`],
[first || previous ? follows(record, previous) : null, first ? "It is the first of its chain" : `It follows transaction ${number(record.sequence - 1)}`,
first ? `Its previous hash is ${GENESIS.slice(0, 8)}…, 64 zeros.` : previous ? `Its previous hash and balance are those of that transaction.` : "That transaction could not be read."],
[next ? follows(next, record) : null, next ? `Transaction ${number(next.sequence)} follows it` : "It is the newest transaction", next ? "That one holds this hash as its previous hash." : "No transaction follows it yet."],
];
}
function Check({ record }) {
const [state, setState] = useState({ steps: null, error: null });
const run = () => checked(record).then((steps) => setState({ steps, error: null }), (error) => setState({ steps: null, error }));
useEffect(() => { if (canCheck()) run(); }, [record.id]);
const holds = state.steps?.every(([right]) => right !== false);
return html`<${Section} name="Chain check" first>${!canCheck() && html`<p class="muted">This page is not on a secure address, so the browser cannot compute hashes.</p>`}<${Trouble} error=${state.error} retry=${run} /><div role="status" data-test="check">${state.steps ? html`<p><strong class=${holds ? "good" : "bad"}>${holds ? "This transaction is unchanged and in its place." : "This transaction or its place is wrong. Tell the engineers."}</strong></p><ul class="steps">${state.steps.map(([right, said, how]) => html`<li key=${said} class=${right === false ? "bad" : right ? "good" : "muted"}><span aria-hidden="true">${right === false ? "✗" : right ? "✓" : "·"}</span> <span class="sr">${right === false ? "Fails:" : right ? "Holds:" : ""}</span> ${said}<span class="small muted">${how}</span></li>`)}</ul>`
: canCheck() && !state.error && html`<p class="waiting">Checking…</p>`}</div><details><summary>What is hashed</summary><p class="small muted">The previous hash, a newline, and:</p><pre tabindex="0">${canonical(record)}</pre></details><//>`;
}
function Facts({ record, shop }) {
const rows = [
["Merchant", html`${shop ? `${shop} ` : ""}<${Id} of=${record.merchant_id} to="merchant" whole />`],
["Recorded", html`<${Time} at=${record.created_at} />`],
["Happened", record.occurred_at && html`<${Time} at=${record.occurred_at} />`],
["Number", number(record.sequence)],
["Requested", credits(record.requested)],
["Uncovered", record.shortfall ? credits(record.shortfall) : null],
["Low at", number(record.threshold)],
["Reference", html`<code>${record.reference_id}</code>`],
...Object.entries(record.extra_metadata).map(([name, value]) => [name.replaceAll("_", " "), String(value)]),
["Idempotency key", html`<code>${record.idempotency_key}</code>`],
["Correlation id", record.correlation_id && html`<code>${record.correlation_id}</code>`],
["Updated", record.updated_at !== record.created_at && html`<${Time} at=${record.updated_at} /> by a refund, a reversal or an edit`],
["Hash", html`<code>${record.hash}</code>`],
["Previous hash", html`<code>${record.previous_hash}</code>`],
].filter(([, value]) => value);
return html`<${Section} name="The transaction" first><dl class="facts">${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl><//>`;
}
function Transaction({ id, admin }) {
const { data, error, reload } = useLoad(() => ask(`credits/transactions/${id}`), [id]);
const record = data?.data;
const shop = useNames(admin && record ? [record.merchant_id] : [])(record?.merchant_id);
const name = record ? called(record) : "Transaction";
return html`<${Title} name="${name} ${id.slice(0, 8)}">${name} ${record && record.transaction_type !== "TRIAL" ? html`<code>${record.reference_id}</code>` : ""}<//><${Trouble} error=${error} retry=${reload} />${!record && !error && html`<${Waiting} what="Reading the transaction…" />`}${record && html`<p class="lead"><strong class=${record.amount > 0 ? "good" : ""}>${signed(record.amount)}</strong> ${Math.abs(record.amount) === 1 ? "credit" : "credits"}: balance ${number(record.balance_before)} → ${number(record.balance_after)}, <${Time} at=${record.created_at} relative />.${" "}<a href="#/merchant/${record.merchant_id}">To ${shop ?? "the merchant"}</a></p><div class="columns"><${Facts} record=${record} shop=${shop} /><${Check} key=${record.id} record=${record} /></div>`}`;
}

return { Transaction };
})();
m["app.js"] = (() => {
const { html, render, useEffect, useState } = m["preact.js"];
const { ask, onSession, signIn, signOut, who, whyEnded } = m["api.js"];
const { Concepts } = m["concepts.js"];
const { Letters } = m["letters.js"];
const { Many } = m["many.js"];
const { Merchant } = m["merchant.js"];
const { Merchants } = m["merchants.js"];
const { Accounts, Overview } = m["overview.js"];
const { Actions } = m["actions.js"];
const { Title, Trouble, typing } = m["parts.js"];
const { Transaction } = m["transaction.js"];
const { uuid } = m["words.js"];
function useAddress() {
const [address, setAddress] = useState(location.hash);
useEffect(() => {
const moved = () => {
setAddress(location.hash);
scrollTo(0, 0);
};
addEventListener("hashchange", moved);
return () => removeEventListener("hashchange", moved);
}, []);
return address.replace(/^#\/?/, "").split("/").filter(Boolean);
}
function useSession() {
const [, setTurn] = useState(0);
useEffect(() => onSession(() => setTurn((turn) => turn + 1)), []);
return who();
}
function SignIn() {
const [wrong, setWrong] = useState(null);
const send = (event) => {
event.preventDefault();
setWrong(signIn(event.currentTarget.elements.token.value.trim().replace(/^Bearer\s+/i, "")));
};
return html`<main class="signin" id="main"><${Title} name="Sign in" field=${!typing() && "token"}>Credits console<//>${whyEnded() && html`<div class="trouble" role="alert"><p><strong>${whyEnded()}</strong> Sign in again to continue.</p></div>`}<form class="card" onSubmit=${send}><label for="token">Access token</label><input id="token" name="token" type="password" autocomplete="off" spellcheck=${false} required
aria-describedby="token-help" aria-invalid=${wrong ? "true" : undefined} /><p class="small muted" id="token-help">A JSON Web Token with the scope <code>credits:admin</code>, or a shop's own.
It is kept in this tab and sent only to this API.</p>${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}<button class="main" type="submit">Sign in</button></form><p class="small muted">On your own machine, <code>credits token --admin</code> prints an admin's token. <a href="docs">The API's documentation</a></p></main>`;
}
async function found(id, order) {
const parameters = { merchant_id: id, limit: 1, order_id: order };
const { data } = await ask("credits/transactions", { parameters });
if (data.length) return order ? `transaction/${data[0].id}` : `merchant/${id}`;
if (order) return null;
try {
await ask(`credits/transactions/${id}`);
return `transaction/${id}`;
} catch (error) {
if (error.status === 404) return null;
throw error;
}
}
async function called(name) {
const { data } = await ask("credits/admin/merchants", { parameters: { search: name, limit: 2 } });
return data.length === 1 ? data[0].merchant_id : null;
}
function Search() {
const [state, setState] = useState({ busy: false, said: null, error: null });
const send = async (event) => {
event.preventDefault();
const { id, order } = event.currentTarget.elements;
const [field, asked] = [document.activeElement, [id.value, order.value]];
const sought = id.value.trim();
if (!sought) {
setState({ busy: false, error: null, said: "Give a merchant's name, domain or id, or the id of a transaction." });
id.focus();
return;
}
setState({ busy: true, said: null, error: null });
try {
const wanted = uuid(sought) ?? (await called(sought));
const place = wanted ? await found(wanted, order.value.trim()) : `merchants/${encodeURIComponent(sought)}`;
const said = order.value.trim()
? html`This merchant has no such order in the ledger. It may not have arrived, or may be among its <a href="#/dead-letters/-/${wanted}">dead letters</a>.`
: "No merchant and no transaction has this id. Its first event may not have arrived.";
setState({ busy: false, error: null, said: place ? null : said });
if (!place) return;
if (id.value === asked[0] && order.value === asked[1]) {
order.value = "";
if (document.activeElement === field) field.blur();
}
location.hash = `#/${place}`;
} catch (error) {
setState({ busy: false, said: null, error });
}
};
return html`<search class="search"><form onSubmit=${send} aria-label="Find a merchant, a transaction or an order"><div><label for="find">Merchant or transaction</label><input id="find" name="id" placeholder="name, domain or id" autocomplete="off" spellcheck=${false} maxlength="255" /></div><div class="narrow"><label for="order">Order <span class="muted">(with its merchant)</span></label><input id="order" name="order" placeholder="optional" autocomplete="off" spellcheck=${false} maxlength="255" /></div><button class="main" type="submit" disabled=${state.busy}>${state.busy ? "Looking…" : "Find"}</button></form><div aria-live="polite">${state.said && html`<p class="said">${state.said}</p>`}</div><${Trouble} error=${state.error} /></search>`;
}
function decoded(part) {
try {
return decodeURIComponent(part ?? "");
} catch {
return part;
}
}
function View({ address, session }) {
const [name, id] = address;
const wanted = id && uuid(id);
if (name === "merchant" && wanted) return html`<${Merchant} key=${wanted} id=${wanted} admin=${session.admin} />`;
if (name === "transaction" && wanted) return html`<${Transaction} key=${wanted} id=${wanted} admin=${session.admin} />`;
if (name === "concepts") return html`<${Concepts} at=${id} />`;
if (!session.admin && session.merchant) {
return html`<${Merchant} key=${session.merchant} id=${session.merchant} admin=${false} />`;
}
if (!session.admin) {
return html`<div class="trouble" role="alert"><p><strong>This token cannot read any merchant.</strong> Sign in with one that has the scope <code>credits:admin</code>, or with a shop's own.</p></div>`;
}
if (name === "merchants") return html`<${Merchants} key="merchants" search=${decoded(id)} />`;
if (name === "many") return html`<${Many} />`;
if (name === "actions") return html`<${Actions} merchant=${null} />`;
if (name === "dead-letters") return html`<${Letters} key=${address.join("/")} code=${decoded(id)} merchant=${uuid(address[2] ?? "")} />`;
if (name === "off" || name === "low" || name === "week") return html`<${Accounts} key=${name} which=${name} />`;
if (!name) return html`<${Overview} />`;
return html`<${Title} key=${address.join("/")} name="Not found">There is no such page<//><p><a href="#/">To the overview</a></p>`;
}
function App() {
const address = useAddress();
const session = useSession();
if (!session) return html`<${SignIn} />`;
const here = (name) => ((address[0] ?? "") === name ? "page" : undefined);
return html`
<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.querySelector("#main h1")?.focus(); }}>Skip to the content</a><header class="bar"><a class="brand" href="#/" aria-label="Credits, overview"><span aria-hidden="true">C</span>Credits</a>${session.admin && html`<nav aria-label="Views"><a href="#/" aria-current=${here("")}>Overview</a><a href="#/merchants" aria-current=${here("merchants")}>Merchants</a><a href="#/many" aria-current=${here("many")}>Many at once</a><a href="#/actions" aria-current=${here("actions")}>Actions</a><a href="#/dead-letters" aria-current=${here("dead-letters")}>Dead letters</a><a href="#/concepts" aria-current=${here("concepts")}>Concepts</a></nav>`}${!session.admin && session.merchant && html`<nav aria-label="Views"><a href="#/" aria-current=${here("")}>Your shop</a><a href="#/concepts" aria-current=${here("concepts")}>Concepts</a></nav>`}<p class="me"><span class="small" title="Signed in">${session.name}</span><button type="button" class="quiet" onClick=${() => signOut()}>Sign out</button></p></header>${session.admin && html`<${Search} />`}<main id="main"><${View} address=${address} session=${session} /></main>`;
}
render(html`<${App} />`, document.getElementById("app"));
document.querySelector("#app > .boot")?.remove();

return {  };
})();
