/* Waypost. Holds @lit/reactive-element 2.1.2, BSD-3-Clause; lit 3.3.3, BSD-3-Clause; lit-element 4.2.2, BSD-3-Clause; lit-html 3.3.3, BSD-3-Clause; uplot 1.6.32, MIT: see third-party.txt. */
var e=class e extends Error{constructor(e,t,n,r=null,i=null,a=null){super(n),this.code=e,this.status=t,this.cause=r,this.remedy=i,this.task=a,this.name=`Problem`}get unsettled(){return this.status===0||this.status>=500&&this.code!==`busy`&&this.code!==`draining`}get denied(){return this.status===401}static of(t){if(t instanceof e)return t;let n=t instanceof Error?t.message:String(t);return new e(`no-answer`,0,`the service does not answer`,n,`see that it runs and can be reached`)}};function t(e=``){let t=new TextEncoder().encode(e.trim());return t.length?{"Waypost-Reason":String.fromCharCode(...t)}:{}}var n=13e4,r=import.meta.url,i=class i{static{this.all=new Map}static of(e,t){let n=new URL(e||`.`,e?document.baseURI:r).href.replace(/\/?$/,`/`),a=`${n}\n${t??``}`,o=this.all.get(a);return o||(o=new i(n,t||null),this.all.set(a,o)),o}constructor(e,n){this.prefix=e,this.token=n,this.denials=new Set,this.whoami=()=>this.get(`session`),this.endSession=()=>this.send(`session`,{method:`DELETE`}),this.version=()=>this.get(`system/version`),this.hosts=()=>this.get(`hosts`),this.domains=()=>this.get(`domains`),this.queue=()=>this.get(`queue`),this.readiness=e=>this.get(`readiness`,e),this.plugins=()=>this.get(`plugins`),this.check=(e,t,n)=>this.post(`checks`,{domain:e,from:t},{signal:n}),this.dryRun=(e,t)=>this.post(`dry-runs`,e,{signal:t}),this.task=e=>this.get(`tasks/${encodeURIComponent(e)}`),this.records=e=>this.get(`tasks/${encodeURIComponent(e)}/records`),this.samples=e=>this.get(`tasks/${encodeURIComponent(e)}/samples`),this.decisions=(e,t)=>this.get(`decisions?plugin=${encodeURIComponent(e)}&limit=${t}`),this.situation=e=>this.get(`tasks/${encodeURIComponent(e)}/situation`),this.settings=e=>this.tagged(`plugins/${encodeURIComponent(e)}/settings`),this.deletePlugin=(e,n,r)=>this.send(`plugins/${encodeURIComponent(e)}`,{method:`DELETE`,headers:{"If-Match":n,...t(r)}}),this.switchPlugin=(e,n,r)=>this.post(`plugins/${encodeURIComponent(e)}/${n?`enable`:`disable`}`,void 0,{headers:t(r)}),this.putSettings=(e,n,r,i)=>this.tagged(`plugins/${encodeURIComponent(e)}/settings`,{method:`PUT`,headers:{"Content-Type":`application/json`,"If-Match":r,...t(i)},body:JSON.stringify(n)}),this.forgetSettings=(e,n,r)=>this.tagged(`plugins/${encodeURIComponent(e)}/settings`,{method:`DELETE`,headers:{"If-Match":n,...t(r)}}),this.create=(e,n,r)=>this.post(`tasks`,e,{headers:{"Idempotency-Key":n,...t(r)}}),this.cancel=(e,n)=>this.post(`tasks/${encodeURIComponent(e)}/cancel`,void 0,{headers:t(n)}),this.retry=(e,n)=>this.post(`tasks/${encodeURIComponent(e)}/retry`,void 0,{headers:t(n)}),this.steer=(e,n,r)=>this.post(`tasks/${encodeURIComponent(e)}/steer`,n,{headers:t(r)}),this.act=(e,n,r,i)=>this.post(`tasks/${encodeURIComponent(e)}/actions`,r?{action:n,network:r}:{action:n},{headers:t(i)})}get hasToken(){return this.token!==null}whenDenied(e){return this.denials.add(e),()=>this.denials.delete(e)}tasks(e={}){let t=new URLSearchParams;e.states?.length&&t.set(`state`,e.states.join(`,`));for(let n of[`domain`,`host`,`cursor`])e[n]&&t.set(n,e[n]);e.limit&&t.set(`limit`,String(e.limit));let n=t.toString();return this.get(n?`tasks?${n}`:`tasks`)}putPlugin(e,n,r,i,a){let o={"Content-Type":`application/wasm`,...t(a)};o[r===null?`If-None-Match`:`If-Match`]=r??`*`;let s=i?``:`?enabled=false`;return this.tagged(`plugins/${encodeURIComponent(e)}${s}`,{method:`PUT`,headers:o,body:n})}events(e,t){let n={Accept:`text/event-stream`};return e!==null&&(n[`Last-Event-ID`]=String(e)),this.send(`events`,{headers:n,signal:t,cache:`no-store`})}async get(e,t){return(await this.send(e,{headers:{Accept:`application/json`},signal:t})).json()}async tagged(e,t={}){let n=await this.send(e,{...t,headers:{Accept:`application/json`,...t.headers}});return{value:await n.json(),tag:n.headers.get(`ETag`)??``}}async post(e,t,n={}){let r={Accept:`application/json`,...n.headers};t&&(r[`Content-Type`]=`application/json`);let i=await(await this.send(e,{...n,method:`POST`,headers:r,body:t&&JSON.stringify(t)})).text();return i?JSON.parse(i):null}async send(t,r){let i=new Headers(r.headers);this.token&&i.set(`Authorization`,`Bearer ${this.token}`);let o=t===`events`?[]:[AbortSignal.timeout(n)],s=AbortSignal.any([...r.signal?[r.signal]:[],...o]),c;try{c=await fetch(`${this.prefix}api/v1/${t}`,{...r,headers:i,signal:s,credentials:`same-origin`})}catch(t){throw r.signal?.aborted?t:e.of(t)}if(c.ok)return c;let l=await a(c);if(l.denied)for(let e of[...this.denials])e(l);throw l}};async function a(t){let n=await t.json().catch(()=>({})),r=e=>typeof n[e]==`string`?n[e]:null;return new e(r(`code`)??`http-${t.status}`,t.status,r(`detail`)??r(`title`)??`the service answered ${t.status} ${t.statusText}`.trim(),r(`cause`),r(`remedy`),r(`task`))}var o=globalThis,s=o.ShadowRoot&&(o.ShadyCSS===void 0||o.ShadyCSS.nativeShadow)&&`adoptedStyleSheets`in Document.prototype&&`replace`in CSSStyleSheet.prototype,c=Symbol(),l=new WeakMap,u=class{constructor(e,t,n){if(this._$cssResult$=!0,n!==c)throw Error("CSSResult is not constructable. Use `unsafeCSS` or `css` instead.");this.cssText=e,this.t=t}get styleSheet(){let e=this.o,t=this.t;if(s&&e===void 0){let n=t!==void 0&&t.length===1;n&&(e=l.get(t)),e===void 0&&((this.o=e=new CSSStyleSheet).replaceSync(this.cssText),n&&l.set(t,e))}return e}toString(){return this.cssText}},d=e=>new u(typeof e==`string`?e:e+``,void 0,c),f=(e,...t)=>new u(e.length===1?e[0]:t.reduce((t,n,r)=>t+(e=>{if(!0===e._$cssResult$)return e.cssText;if(typeof e==`number`)return e;throw Error(`Value passed to 'css' function must be a 'css' function result: `+e+`. Use 'unsafeCSS' to pass non-literal values, but take care to ensure page security.`)})(n)+e[r+1],e[0]),e,c),p=(e,t)=>{if(s)e.adoptedStyleSheets=t.map(e=>e instanceof CSSStyleSheet?e:e.styleSheet);else for(let n of t){let t=document.createElement(`style`),r=o.litNonce;r!==void 0&&t.setAttribute(`nonce`,r),t.textContent=n.cssText,e.appendChild(t)}},m=s?e=>e:e=>e instanceof CSSStyleSheet?(e=>{let t=``;for(let n of e.cssRules)t+=n.cssText;return d(t)})(e):e,{is:h,defineProperty:g,getOwnPropertyDescriptor:_,getOwnPropertyNames:v,getOwnPropertySymbols:y,getPrototypeOf:b}=Object,x=globalThis,S=x.trustedTypes,C=S?S.emptyScript:``,w=x.reactiveElementPolyfillSupport,T=(e,t)=>e,E={toAttribute(e,t){switch(t){case Boolean:e=e?C:null;break;case Object:case Array:e=e==null?e:JSON.stringify(e)}return e},fromAttribute(e,t){let n=e;switch(t){case Boolean:n=e!==null;break;case Number:n=e===null?null:Number(e);break;case Object:case Array:try{n=JSON.parse(e)}catch{n=null}}return n}},D=(e,t)=>!h(e,t),O={attribute:!0,type:String,converter:E,reflect:!1,useDefault:!1,hasChanged:D};Symbol.metadata??=Symbol(`metadata`),x.litPropertyMetadata??=new WeakMap;var k=class extends HTMLElement{static addInitializer(e){this._$Ei(),(this.l??=[]).push(e)}static get observedAttributes(){return this.finalize(),this._$Eh&&[...this._$Eh.keys()]}static createProperty(e,t=O){if(t.state&&(t.attribute=!1),this._$Ei(),this.prototype.hasOwnProperty(e)&&((t=Object.create(t)).wrapped=!0),this.elementProperties.set(e,t),!t.noAccessor){let n=Symbol(),r=this.getPropertyDescriptor(e,n,t);r!==void 0&&g(this.prototype,e,r)}}static getPropertyDescriptor(e,t,n){let{get:r,set:i}=_(this.prototype,e)??{get(){return this[t]},set(e){this[t]=e}};return{get:r,set(t){let a=r?.call(this);i?.call(this,t),this.requestUpdate(e,a,n)},configurable:!0,enumerable:!0}}static getPropertyOptions(e){return this.elementProperties.get(e)??O}static _$Ei(){if(this.hasOwnProperty(T(`elementProperties`)))return;let e=b(this);e.finalize(),e.l!==void 0&&(this.l=[...e.l]),this.elementProperties=new Map(e.elementProperties)}static finalize(){if(this.hasOwnProperty(T(`finalized`)))return;if(this.finalized=!0,this._$Ei(),this.hasOwnProperty(T(`properties`))){let e=this.properties,t=[...v(e),...y(e)];for(let n of t)this.createProperty(n,e[n])}let e=this[Symbol.metadata];if(e!==null){let t=litPropertyMetadata.get(e);if(t!==void 0)for(let[e,n]of t)this.elementProperties.set(e,n)}this._$Eh=new Map;for(let[e,t]of this.elementProperties){let n=this._$Eu(e,t);n!==void 0&&this._$Eh.set(n,e)}this.elementStyles=this.finalizeStyles(this.styles)}static finalizeStyles(e){let t=[];if(Array.isArray(e)){let n=new Set(e.flat(1/0).reverse());for(let e of n)t.unshift(m(e))}else e!==void 0&&t.push(m(e));return t}static _$Eu(e,t){let n=t.attribute;return!1===n?void 0:typeof n==`string`?n:typeof e==`string`?e.toLowerCase():void 0}constructor(){super(),this._$Ep=void 0,this.isUpdatePending=!1,this.hasUpdated=!1,this._$Em=null,this._$Ev()}_$Ev(){this._$ES=new Promise(e=>this.enableUpdating=e),this._$AL=new Map,this._$E_(),this.requestUpdate(),this.constructor.l?.forEach(e=>e(this))}addController(e){(this._$EO??=new Set).add(e),this.renderRoot!==void 0&&this.isConnected&&e.hostConnected?.()}removeController(e){this._$EO?.delete(e)}_$E_(){let e=new Map,t=this.constructor.elementProperties;for(let n of t.keys())this.hasOwnProperty(n)&&(e.set(n,this[n]),delete this[n]);e.size>0&&(this._$Ep=e)}createRenderRoot(){let e=this.shadowRoot??this.attachShadow(this.constructor.shadowRootOptions);return p(e,this.constructor.elementStyles),e}connectedCallback(){this.renderRoot??=this.createRenderRoot(),this.enableUpdating(!0),this._$EO?.forEach(e=>e.hostConnected?.())}enableUpdating(e){}disconnectedCallback(){this._$EO?.forEach(e=>e.hostDisconnected?.())}attributeChangedCallback(e,t,n){this._$AK(e,n)}_$ET(e,t){let n=this.constructor.elementProperties.get(e),r=this.constructor._$Eu(e,n);if(r!==void 0&&!0===n.reflect){let i=(n.converter?.toAttribute===void 0?E:n.converter).toAttribute(t,n.type);this._$Em=e,i==null?this.removeAttribute(r):this.setAttribute(r,i),this._$Em=null}}_$AK(e,t){let n=this.constructor,r=n._$Eh.get(e);if(r!==void 0&&this._$Em!==r){let e=n.getPropertyOptions(r),i=typeof e.converter==`function`?{fromAttribute:e.converter}:e.converter?.fromAttribute===void 0?E:e.converter;this._$Em=r;let a=i.fromAttribute(t,e.type);this[r]=a??this._$Ej?.get(r)??a,this._$Em=null}}requestUpdate(e,t,n,r=!1,i){if(e!==void 0){let a=this.constructor;if(!1===r&&(i=this[e]),n??=a.getPropertyOptions(e),!((n.hasChanged??D)(i,t)||n.useDefault&&n.reflect&&i===this._$Ej?.get(e)&&!this.hasAttribute(a._$Eu(e,n))))return;this.C(e,t,n)}!1===this.isUpdatePending&&(this._$ES=this._$EP())}C(e,t,{useDefault:n,reflect:r,wrapped:i},a){n&&!(this._$Ej??=new Map).has(e)&&(this._$Ej.set(e,a??t??this[e]),!0!==i||a!==void 0)||(this._$AL.has(e)||(this.hasUpdated||n||(t=void 0),this._$AL.set(e,t)),!0===r&&this._$Em!==e&&(this._$Eq??=new Set).add(e))}async _$EP(){this.isUpdatePending=!0;try{await this._$ES}catch(e){Promise.reject(e)}let e=this.scheduleUpdate();return e!=null&&await e,!this.isUpdatePending}scheduleUpdate(){return this.performUpdate()}performUpdate(){if(!this.isUpdatePending)return;if(!this.hasUpdated){if(this.renderRoot??=this.createRenderRoot(),this._$Ep){for(let[e,t]of this._$Ep)this[e]=t;this._$Ep=void 0}let e=this.constructor.elementProperties;if(e.size>0)for(let[t,n]of e){let{wrapped:e}=n,r=this[t];!0!==e||this._$AL.has(t)||r===void 0||this.C(t,void 0,n,r)}}let e=!1,t=this._$AL;try{e=this.shouldUpdate(t),e?(this.willUpdate(t),this._$EO?.forEach(e=>e.hostUpdate?.()),this.update(t)):this._$EM()}catch(t){throw e=!1,this._$EM(),t}e&&this._$AE(t)}willUpdate(e){}_$AE(e){this._$EO?.forEach(e=>e.hostUpdated?.()),this.hasUpdated||(this.hasUpdated=!0,this.firstUpdated(e)),this.updated(e)}_$EM(){this._$AL=new Map,this.isUpdatePending=!1}get updateComplete(){return this.getUpdateComplete()}getUpdateComplete(){return this._$ES}shouldUpdate(e){return!0}update(e){this._$Eq&&=this._$Eq.forEach(e=>this._$ET(e,this[e])),this._$EM()}updated(e){}firstUpdated(e){}};k.elementStyles=[],k.shadowRootOptions={mode:`open`},k[T(`elementProperties`)]=new Map,k[T(`finalized`)]=new Map,w?.({ReactiveElement:k}),(x.reactiveElementVersions??=[]).push(`2.1.2`);var ee=globalThis,A=e=>e,j=ee.trustedTypes,te=j?j.createPolicy(`lit-html`,{createHTML:e=>e}):void 0,ne=`$lit$`,re=`lit$${Math.random().toFixed(9).slice(2)}$`,ie=`?`+re,ae=`<${ie}>`,M=document,N=()=>M.createComment(``),P=e=>e===null||typeof e!=`object`&&typeof e!=`function`,oe=Array.isArray,F=e=>oe(e)||typeof e?.[Symbol.iterator]==`function`,I=`[ 	
\f\r]`,se=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,ce=/-->/g,le=/>/g,ue=RegExp(`>|${I}(?:([^\\s"'>=/]+)(${I}*=${I}*(?:[^ \t\n\f\r"'\`<>=]|("|')|))|$)`,`g`),de=/'/g,fe=/"/g,pe=/^(?:script|style|textarea|title)$/i,me=e=>(t,...n)=>({_$litType$:e,strings:t,values:n}),L=me(1),R=me(2),he=Symbol.for(`lit-noChange`),z=Symbol.for(`lit-nothing`),ge=new WeakMap,_e=M.createTreeWalker(M,129);function ve(e,t){if(!oe(e)||!e.hasOwnProperty(`raw`))throw Error(`invalid template strings array`);return te===void 0?t:te.createHTML(t)}var ye=(e,t)=>{let n=e.length-1,r=[],i,a=t===2?`<svg>`:t===3?`<math>`:``,o=se;for(let t=0;t<n;t++){let n=e[t],s,c,l=-1,u=0;for(;u<n.length&&(o.lastIndex=u,c=o.exec(n),c!==null);)u=o.lastIndex,o===se?c[1]===`!--`?o=ce:c[1]===void 0?c[2]===void 0?c[3]!==void 0&&(o=ue):(pe.test(c[2])&&(i=RegExp(`</`+c[2],`g`)),o=ue):o=le:o===ue?c[0]===`>`?(o=i??se,l=-1):c[1]===void 0?l=-2:(l=o.lastIndex-c[2].length,s=c[1],o=c[3]===void 0?ue:c[3]===`"`?fe:de):o===fe||o===de?o=ue:o===ce||o===le?o=se:(o=ue,i=void 0);let d=o===ue&&e[t+1].startsWith(`/>`)?` `:``;a+=o===se?n+ae:l>=0?(r.push(s),n.slice(0,l)+ne+n.slice(l)+re+d):n+re+(l===-2?t:d)}return[ve(e,a+(e[n]||`<?>`)+(t===2?`</svg>`:t===3?`</math>`:``)),r]},B=class e{constructor({strings:t,_$litType$:n},r){let i;this.parts=[];let a=0,o=0,s=t.length-1,c=this.parts,[l,u]=ye(t,n);if(this.el=e.createElement(l,r),_e.currentNode=this.el.content,n===2||n===3){let e=this.el.content.firstChild;e.replaceWith(...e.childNodes)}for(;(i=_e.nextNode())!==null&&c.length<s;){if(i.nodeType===1){if(i.hasAttributes())for(let e of i.getAttributeNames())if(e.endsWith(ne)){let t=u[o++],n=i.getAttribute(e).split(re),r=/([.?@])?(.*)/.exec(t);c.push({type:1,index:a,name:r[2],strings:n,ctor:r[1]===`.`?Ce:r[1]===`?`?we:r[1]===`@`?Te:Se}),i.removeAttribute(e)}else e.startsWith(re)&&(c.push({type:6,index:a}),i.removeAttribute(e));if(pe.test(i.tagName)){let e=i.textContent.split(re),t=e.length-1;if(t>0){i.textContent=j?j.emptyScript:``;for(let n=0;n<t;n++)i.append(e[n],N()),_e.nextNode(),c.push({type:2,index:++a});i.append(e[t],N())}}}else if(i.nodeType===8){if(i.data===ie)c.push({type:2,index:a});else{let e=-1;for(;(e=i.data.indexOf(re,e+1))!==-1;)c.push({type:7,index:a}),e+=re.length-1}}a++}}static createElement(e,t){let n=M.createElement(`template`);return n.innerHTML=e,n}};function V(e,t,n=e,r){if(t===he)return t;let i=r===void 0?n._$Cl:n._$Co?.[r],a=P(t)?void 0:t._$litDirective$;return i?.constructor!==a&&(i?._$AO?.(!1),a===void 0?i=void 0:(i=new a(e),i._$AT(e,n,r)),r===void 0?n._$Cl=i:(n._$Co??=[])[r]=i),i!==void 0&&(t=V(e,i._$AS(e,t.values),i,r)),t}var be=class{constructor(e,t){this._$AV=[],this._$AN=void 0,this._$AD=e,this._$AM=t}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(e){let{el:{content:t},parts:n}=this._$AD,r=(e?.creationScope??M).importNode(t,!0);_e.currentNode=r;let i=_e.nextNode(),a=0,o=0,s=n[0];for(;s!==void 0;){if(a===s.index){let t;s.type===2?t=new xe(i,i.nextSibling,this,e):s.type===1?t=new s.ctor(i,s.name,s.strings,this,e):s.type===6&&(t=new Ee(i,this,e)),this._$AV.push(t),s=n[++o]}a!==s?.index&&(i=_e.nextNode(),a++)}return _e.currentNode=M,r}p(e){let t=0;for(let n of this._$AV)n!==void 0&&(n.strings===void 0?n._$AI(e[t]):(n._$AI(e,n,t),t+=n.strings.length-2)),t++}},xe=class e{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(e,t,n,r){this.type=2,this._$AH=z,this._$AN=void 0,this._$AA=e,this._$AB=t,this._$AM=n,this.options=r,this._$Cv=r?.isConnected??!0}get parentNode(){let e=this._$AA.parentNode,t=this._$AM;return t!==void 0&&e?.nodeType===11&&(e=t.parentNode),e}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(e,t=this){e=V(this,e,t),P(e)?e===z||e==null||e===``?(this._$AH!==z&&this._$AR(),this._$AH=z):e!==this._$AH&&e!==he&&this._(e):e._$litType$===void 0?e.nodeType===void 0?F(e)?this.k(e):this._(e):this.T(e):this.$(e)}O(e){return this._$AA.parentNode.insertBefore(e,this._$AB)}T(e){this._$AH!==e&&(this._$AR(),this._$AH=this.O(e))}_(e){this._$AH!==z&&P(this._$AH)?this._$AA.nextSibling.data=e:this.T(M.createTextNode(e)),this._$AH=e}$(e){let{values:t,_$litType$:n}=e,r=typeof n==`number`?this._$AC(e):(n.el===void 0&&(n.el=B.createElement(ve(n.h,n.h[0]),this.options)),n);if(this._$AH?._$AD===r)this._$AH.p(t);else{let e=new be(r,this),n=e.u(this.options);e.p(t),this.T(n),this._$AH=e}}_$AC(e){let t=ge.get(e.strings);return t===void 0&&ge.set(e.strings,t=new B(e)),t}k(t){oe(this._$AH)||(this._$AH=[],this._$AR());let n=this._$AH,r,i=0;for(let a of t)i===n.length?n.push(r=new e(this.O(N()),this.O(N()),this,this.options)):r=n[i],r._$AI(a),i++;i<n.length&&(this._$AR(r&&r._$AB.nextSibling,i),n.length=i)}_$AR(e=this._$AA.nextSibling,t){for(this._$AP?.(!1,!0,t);e!==this._$AB;){let t=A(e).nextSibling;A(e).remove(),e=t}}setConnected(e){this._$AM===void 0&&(this._$Cv=e,this._$AP?.(e))}},Se=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(e,t,n,r,i){this.type=1,this._$AH=z,this._$AN=void 0,this.element=e,this.name=t,this._$AM=r,this.options=i,n.length>2||n[0]!==``||n[1]!==``?(this._$AH=Array(n.length-1).fill(new String),this.strings=n):this._$AH=z}_$AI(e,t=this,n,r){let i=this.strings,a=!1;if(i===void 0)e=V(this,e,t,0),a=!P(e)||e!==this._$AH&&e!==he,a&&(this._$AH=e);else{let r=e,o,s;for(e=i[0],o=0;o<i.length-1;o++)s=V(this,r[n+o],t,o),s===he&&(s=this._$AH[o]),a||=!P(s)||s!==this._$AH[o],s===z?e=z:e!==z&&(e+=(s??``)+i[o+1]),this._$AH[o]=s}a&&!r&&this.j(e)}j(e){e===z?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,e??``)}},Ce=class extends Se{constructor(){super(...arguments),this.type=3}j(e){this.element[this.name]=e===z?void 0:e}},we=class extends Se{constructor(){super(...arguments),this.type=4}j(e){this.element.toggleAttribute(this.name,!!e&&e!==z)}},Te=class extends Se{constructor(e,t,n,r,i){super(e,t,n,r,i),this.type=5}_$AI(e,t=this){if((e=V(this,e,t,0)??z)===he)return;let n=this._$AH,r=e===z&&n!==z||e.capture!==n.capture||e.once!==n.once||e.passive!==n.passive,i=e!==z&&(n===z||r);r&&this.element.removeEventListener(this.name,this,n),i&&this.element.addEventListener(this.name,this,e),this._$AH=e}handleEvent(e){typeof this._$AH==`function`?this._$AH.call(this.options?.host??this.element,e):this._$AH.handleEvent(e)}},Ee=class{constructor(e,t,n){this.element=e,this.type=6,this._$AN=void 0,this._$AM=t,this.options=n}get _$AU(){return this._$AM._$AU}_$AI(e){V(this,e)}},De={M:ne,P:re,A:ie,C:1,L:ye,R:be,D:F,V,I:xe,H:Se,N:we,U:Te,B:Ce,F:Ee},Oe=ee.litHtmlPolyfillSupport;Oe?.(B,xe),(ee.litHtmlVersions??=[]).push(`3.3.3`);var ke=(e,t,n)=>{let r=n?.renderBefore??t,i=r._$litPart$;if(i===void 0){let e=n?.renderBefore??null;r._$litPart$=i=new xe(t.insertBefore(N(),e),e,void 0,n??{})}return i._$AI(e),i},Ae=globalThis,je=class extends k{constructor(){super(...arguments),this.renderOptions={host:this},this._$Do=void 0}createRenderRoot(){let e=super.createRenderRoot();return this.renderOptions.renderBefore??=e.firstChild,e}update(e){let t=this.render();this.hasUpdated||(this.renderOptions.isConnected=this.isConnected),super.update(e),this._$Do=ke(t,this.renderRoot,this.renderOptions)}connectedCallback(){super.connectedCallback(),this._$Do?.setConnected(!0)}disconnectedCallback(){super.disconnectedCallback(),this._$Do?.setConnected(!1)}render(){return he}};je._$litElement$=!0,je.finalized=!0,Ae.litElementHydrateSupport?.({LitElement:je});var Me=Ae.litElementPolyfillSupport;Me?.({LitElement:je}),(Ae.litElementVersions??=[]).push(`4.2.2`);var Ne=class{constructor(){this.rest=``,this.id=null,this.kind=``,this.data=[]}push(e){let t=[],n=(this.rest+e).split(/\r\n|\n|\r(?!$)/);this.rest=n.pop()??``;for(let e of n){if(e===``){(this.data.length||this.id!==null)&&t.push({id:this.id,kind:this.kind||`message`,data:this.data.join(`
`)}),this.id=null,this.kind=``,this.data=[];continue}let n=e.indexOf(`:`);if(n===0)continue;let r=n<0?e:e.slice(0,n),i=n<0?``:e.slice(n+1).replace(/^ /,``);r===`data`?this.data.push(i):r===`event`?this.kind=i:r===`id`&&!i.includes(`\0`)&&(this.id=i)}return t}},Pe=4e4;async function Fe(e,t,n,r){if(!e.body)throw Error(`the answer has no body`);let i=e.body.getReader(),a=new TextDecoder,o=new Ne,s;try{for(;;){clearTimeout(s),s=setTimeout(()=>t.abort(Error(`the stream fell silent`)),Pe);let{done:e,value:c}=await i.read();if(e)return;r();for(let e of o.push(a.decode(c,{stream:!0})))n(e)}}finally{clearTimeout(s)}}var Ie=1200;function Le(e){return e.stage===`pre-copy`&&e.bytes_per_s?e.downtime_ms:null}var Re=class e{constructor(e){this.attempt=e,this.at=[],this.remaining=[],this.rate=[],this.dirty=[],this.downtime=[],this.columns=[this.remaining,this.rate,this.dirty,this.downtime]}get length(){return this.at.length}add(e){let t=e.elapsed_ms/1e3,n=this.at[this.at.length-1];return e.stage===`final`||!e.total_bytes||n!==void 0&&t<=n?!1:(this.at.push(t),this.remaining.push(e.remaining_bytes),this.rate.push(e.bytes_per_s),this.dirty.push(e.dirty_bytes_per_s),this.downtime.push(Le(e)),this.at.length>Ie&&this.thin(),!0)}with(t){let n=new e(this.attempt);for(let e of t)n.add(e);let r=new e(this.attempt),[i,a]=[0,0];for(;i<this.length||a<n.length;){let[e,t]=[this.at[i]??1/0,n.at[a]??1/0],[o,s]=e<=t?[this,i]:[n,a];r.at.push(o.at[s]);for(let[e,t]of r.columns.entries())t.push(o.columns[e][s]);e<=t&&(i+=1),t<=e&&(a+=1)}return r.at.length>Ie&&r.thin(),r}thin(){let e=this.at.length>>1;for(let t of[this.at,...this.columns]){let n=t.filter((t,n)=>n>=e||n%2==0);t.splice(0,t.length,...n)}}};function ze(e,t){let n=!t||e.updated_at>=t.updatedAt,r=!t||e.updated_at>t.updatedAt,i=e.outcome??(r?null:t.ended),a=i?`ended`:n?e.phase:t.phase;return{id:e.id,domain:e.domain,domainId:e.domain_id,source:e.source??t?.source??null,destination:e.destination,phase:a,progress:n||!t?e.progress:t.progress,attempt:t?.attempt??1,ended:i,createdAt:e.created_at,updatedAt:n?e.updated_at:t.updatedAt,sample:t?.sample??null,message:t?.phase===a&&t.ended===i?t.message??e.message:e.message,outcome:t?.ended===i?t.outcome:null,queued:!i&&(n?e.place!==null:t.queued),place:i?null:n?e.place:t.place,requestedBy:t?.requestedBy??null,cancelRequested:t?.cancelRequested??!1,mayPostCopy:t?.mayPostCopy??null,leastThrottle:t?.leastThrottle??null,targetUri:n||!t?e.target_uri:t.targetUri}}function Be(e,t){let n=t&&t.attempt===e.attempt&&!e.outcome&&t.progress>e.progress,r=n&&Ue(t)!==(e.sample?.stage??null);return{id:e.id,domain:e.domain,domainId:e.domain_id,source:e.source,destination:e.destination,phase:e.phase,progress:n?t.progress:e.progress,attempt:e.attempt,ended:e.outcome?.kind??null,createdAt:e.created_at,updatedAt:e.updated_at,sample:n?t.sample:e.sample??t?.sample??null,message:e.message,outcome:e.outcome,queued:e.status===`queued`,place:e.status===`queued`?t?.place??null:null,requestedBy:e.requested_by,cancelRequested:e.cancel_requested,mayPostCopy:r?t.mayPostCopy:e.may_post_copy,leastThrottle:r?t.leastThrottle:e.least_throttle_percent,targetUri:e.target_uri}}function Ve(e,t){if(e.ended||t.attempt<e.attempt)return e;let n=t.attempt===e.attempt,r=He(e,t);return{...e,source:t.source??e.source,phase:t.phase,attempt:t.attempt,progress:n?Math.max(e.progress,t.progress):t.progress,sample:t.sample??e.sample,mayPostCopy:r?null:e.mayPostCopy,leastThrottle:r?null:e.leastThrottle,message:t.note||e.message,queued:!1,place:null}}function He(e,t){return e.ended||t.attempt<e.attempt||!t.sample?!1:t.attempt>e.attempt||t.sample.stage!==Ue(e)}var Ue=e=>e.sample?.stage??null;function We(e){if(e.ended)return e.ended;if(e.queued)return`queued`;if(e.cancelRequested)return`cancelling`;switch(e.phase){case`performing`:return e.sample?.stage===`post-copy`?`post-copy`:`moving`;case`locating`:case`recovering`:return`recovering`;default:return e.phase===`finishing`?`finishing`:`preparing`}}function Ge(e,t){return[...e].filter(e=>e.ended).sort(qe).slice(t).map(e=>e.id)}function Ke(e,t,n){return e.flatMap(e=>t.get(e.id)??(n.has(e.id)?[]:e))}function qe(e,t){return e.createdAt===t.createdAt?e.id<t.id?1:e.id>t.id?-1:0:e.createdAt<t.createdAt?1:-1}var Je=120,Ye=2e3,Xe=4,Ze=24,Qe=2e3,$e=400,et=3e3,tt=3e4,nt=Error(`nobody sees the page`),rt=15e3,it=100,at=1e3,ot=class t{static{this.all=new Map}static of(e){let n=this.all.get(e);return n||this.all.set(e,n=new t(e)),n}constructor(e){this.client=e,this.link={state:`connecting`},this.who=null,this.waiting=0,this.tasks=new Map,this.series=new Map,this.gone=new Set,this.filled=new Map,this.listed=!1,this.era=0,this.watchers=new Set,this.stale=new Set,this.looking=0,this.told=!1,this.last=null,this.stop=null,this.once=null,this.wake=null,this.asking=null,e.whenDenied(e=>this.deny(e))}watch(e){return this.watchers.add(e),clearTimeout(this.linger),this.stop||this.run(this.stop=new AbortController),()=>{this.watchers.delete(e),this.watchers.size||(this.linger=setTimeout(()=>{clearTimeout(this.placing),this.stop?.abort(),this.stop=null},et))}}list(){return[...this.tasks.values()].sort(qe)}of(e){for(let t of this.tasks.values())if(!t.ended&&t.domainId===e)return t}take(e){let t=Be(e,this.tasks.get(e.id));return this.keep(t),t}async look(t){try{return this.take(await this.client.task(t))}catch(n){throw n instanceof e&&n.status===404&&(this.tasks.delete(t),this.gone.add(t),this.changed()),n}}async fill(e){if(this.filled.get(e.id)!==e.attempt){this.filled.set(e.id,e.attempt);try{let{samples:t}=await this.client.samples(e.id),n=t.filter(t=>t.attempt===e.attempt).map(({sample:e})=>e),r=this.series.get(e.id);if(r&&r.attempt>e.attempt)return;let i=r?.attempt===e.attempt?r:new Re(e.attempt);this.series.set(e.id,i.with(n)),this.changed()}catch{this.filled.delete(e.id)}}}know(){return this.asking??=this.client.whoami().then(e=>this.who=e).finally(()=>this.asking=null)}retry(){this.wake?.()}async run(t){let n=0,r=!1,i;this.link.state===`denied`&&this.to({state:`connecting`});let a=()=>this.wake?.(),o=()=>{r=!0,this.link.state!==`denied`&&(this.once?.abort(nt),this.wake?.())},s=()=>{if(clearTimeout(i),document.visibilityState===`hidden`){i=setTimeout(o,tt);return}let e=r;r=!1,(this.link.state===`denied`?!this.client.hasToken:e)&&this.wake?.()};for(addEventListener(`online`,a),document.addEventListener(`visibilitychange`,s),s();!t.signal.aborted;){if(r){(this.link.state===`live`||this.link.state===`connecting`)&&this.to({state:`resting`}),await this.pause(null,t.signal);continue}(this.link.state===`resting`||this.link.state===`denied`)&&this.to({state:`connecting`});let i=this.once=new AbortController,a=()=>i.abort();t.signal.addEventListener(`abort`,a);try{let t=Fe(await this.client.events(this.last,i.signal),i,e=>this.hear(e),()=>n=0);throw t.catch(()=>{}),await Promise.all([this.know(),this.readList()]),this.to({state:`live`}),this.refresh(),this.follow(),await t,new e(`stream-ended`,0,`the service ended the stream of events`)}catch(r){if(i.abort(),t.signal.aborted)break;if(i.signal.reason===nt)continue;let a=e.of(r);if(this.link.state===`denied`)await this.pause(null,t.signal),this.to({state:`connecting`});else{a.code===`unknown-event`&&this.forget(),n+=1;let e=Math.min(rt,400*2**n)*(.7+.6*Math.random()),r=this.link.state===`lost`?this.link.since:Date.now();this.to({state:`lost`,since:r,problem:a,retryAt:Date.now()+e}),await this.pause(e,t.signal)}}finally{t.signal.removeEventListener(`abort`,a)}}clearTimeout(i),removeEventListener(`online`,a),document.removeEventListener(`visibilitychange`,s)}deny(e){this.link.state!==`denied`&&(this.who=null,this.to({state:`denied`,problem:e}),this.once?.abort())}pause(e,t){return new Promise(n=>{let r=e===null?void 0:setTimeout(i,e);function i(){clearTimeout(r),t.removeEventListener(`abort`,i),n()}this.wake=i,t.addEventListener(`abort`,i)})}async readList(){let[e,t]=await Promise.all([this.client.tasks({states:[`unfinished`],limit:500}),this.client.tasks({limit:it})]);this.filled.clear();let n=new Set([...e.tasks,...t.tasks].map(e=>e.id));for(let n of[...t.tasks,...e.tasks])this.tasks.set(n.id,ze(n,this.tasks.get(n.id)));for(let e of this.tasks.values())!e.ended&&!n.has(e.id)&&this.stale.add(e.id);for(let t of e.tasks.slice(0,Ze))this.stale.add(t.id);this.waiting=e.tasks.filter(e=>e.place!==null).length,this.listed=!0,this.changed()}async places(){if(this.placing=void 0,this.link.state!==`live`)return;let e=[...this.tasks.values()].filter(e=>!e.ended&&e.phase===`accepted`);try{let{tasks:t}=e.length?await this.client.tasks({states:[`accepted`],limit:500}):{tasks:[]},n=new Set(t.map(e=>e.id));for(let t of e)n.has(t.id)||this.stale.add(t.id);for(let e of t){let t=this.tasks.get(e.id);t?.place!==e.place&&this.stale.add(e.id),this.tasks.set(e.id,ze(e,t))}this.waiting=t.filter(e=>e.place!==null).length,this.changed(),this.stale.size&&this.refresh()}catch{}this.follow()}follow(e=!1){[...this.tasks.values()].filter(e=>!e.ended&&e.phase===`accepted`).length&&this.stop&&this.link.state===`live`&&(e&&clearTimeout(this.placing),(e||this.placing===void 0)&&(this.placing=setTimeout(()=>void this.places(),e?$e:Qe)))}hear(e){if(e.id!==null&&/^\d+$/.test(e.id)&&(this.last=Number(e.id)),e.kind===`record`){let{task:t}=JSON.parse(e.data);this.stale.add(t),this.gather??=setTimeout(()=>void this.refresh(),Je)}else if(e.kind===`progress`){let t=JSON.parse(e.data),n=this.tasks.get(t.task);(!n||He(n,t))&&(this.stale.add(t.task),this.gather??=setTimeout(()=>void this.refresh(),Je)),n&&this.keep(Ve(n,t))}}async refresh(){if(clearTimeout(this.gather),this.gather=void 0,this.link.state===`live`){if(this.stale.size>Ze)try{for(let e of(await this.client.tasks({limit:500})).tasks)this.tasks.set(e.id,ze(e,this.tasks.get(e.id))),this.stale.delete(e.id);this.changed()}catch{this.again();return}for(;this.link.state===`live`&&this.stale.size&&this.looking<Xe;){let[t]=this.stale;this.stale.delete(t),this.looking+=1,this.look(t).catch(n=>{e.of(n).status!==404&&(this.stale.add(t),this.again())}).finally(()=>{--this.looking,this.gather===void 0&&(this.stale.size?this.refresh():this.follow(!0))})}}}again(){this.link.state===`live`&&(this.gather??=setTimeout(()=>void this.refresh(),Ye))}keep(e){if(this.tasks.set(e.id,e),this.tasks.size>at*1.5)for(let t of Ge(this.tasks.values(),at))t!==e.id&&(this.tasks.delete(t),this.series.delete(t),this.filled.delete(t));if(e.sample){let t=this.series.get(e.id);(!t||t.attempt<e.attempt)&&this.series.set(e.id,t=new Re(e.attempt)),t.add(e.sample)}this.changed()}forget(){this.last=null,this.tasks.clear(),this.series.clear(),this.filled.clear(),this.stale.clear(),this.gone.clear(),this.waiting=0,this.listed=!1,this.era+=1,this.changed()}to(e){this.link=e,this.changed()}changed(){if(this.told)return;this.told=!0;let e=()=>{this.told=!1;for(let e of[...this.watchers])e()};document.visibilityState===`visible`?requestAnimationFrame(e):setTimeout(e,250)}};function st(e,t){return e?.permissions.includes(t)??!1}function ct(e,t){return(e?.grants??[]).some(e=>e.permissions.includes(`move`)&&ft(e,t))}function lt(e,t){return(e?.grants??[]).some(({permissions:e,hosts:n,domains:r})=>e.includes(t)&&!n.length&&!r.length)}function ut(e){return lt(e,`look`)}function dt(e){return e.grants.map(({role:e,hosts:t,domains:n})=>{let r=[e];return t.length&&r.push(`hosts ${t.join(`, `)}`),n.length&&r.push(`domains ${n.join(`, `)}`),r.join(` · `)}).join(`, and `)}function ft({hosts:e,domains:t},{source:n,destination:r,domain:i,domainId:a}){let o=t=>!e.length||t!==null&&e.includes(t);return o(n)&&o(r)&&(!t.length||t.some(e=>pt(e,i)||a!==null&&mt(e)===mt(a)))}function pt(e,t){let n=e.replace(/[\\^$.+|()[\]{}/]/g,`\\$&`);return RegExp(`^${n.replaceAll(`*`,`.*`).replaceAll(`?`,`.`)}$`,`su`).test(t)}function mt(e){return e.toLowerCase().replace(/^urn:uuid:|[{}-]/g,``)}var ht=[`B`,`KiB`,`MiB`,`GiB`,`TiB`,`PiB`];function gt(e){let t=0,n=e;for(;Math.abs(n)>=1024&&t<ht.length-1;)n/=1024,t+=1;Math.round(n)>=1024&&t<ht.length-1&&(n/=1024,t+=1);let r=t===0||n>=100?0:n>=10?1:2;return`${n.toFixed(r)} ${ht[t]}`}function _t(e){return`${gt(e)}/s`}function vt(e){if(e<1e3)return`${Math.round(e)} ms`;let t=Math.round(e/1e3);if(e<1e4)return`${(e/1e3).toFixed(1)} s`;if(t<60)return`${t} s`;let n=e=>String(e).padStart(2,`0`);return t<3600?`${Math.floor(t/60)} min ${n(t%60)} s`:t<172800?`${Math.floor(t/3600)} h ${n(Math.floor(t%3600/60))} min`:`${Math.floor(t/86400)} d ${Math.floor(t%86400/3600)} h`}function yt(e){return`${Math.floor(e)} %`}function bt(e,t,n=`${t}s`){return`${e.toLocaleString()} ${e===1?t:n}`}var xt=new Intl.DateTimeFormat(void 0,{hour:`2-digit`,minute:`2-digit`,second:`2-digit`}),St=new Intl.DateTimeFormat(void 0,{month:`short`,day:`numeric`,hour:`2-digit`,minute:`2-digit`}),Ct=new Intl.DateTimeFormat(void 0,{year:`numeric`,month:`short`,day:`numeric`}),wt=new Intl.DateTimeFormat(void 0,{dateStyle:`full`,timeStyle:`long`});function Tt(e,t=new Date){let n=new Date(e);return Number.isNaN(n.getTime())?e:n.toDateString()===t.toDateString()?xt.format(n):n.getFullYear()===t.getFullYear()?St.format(n):Ct.format(n)}function Et(e){let t=new Date(e);return Number.isNaN(t.getTime())?e:wt.format(t)}var Dt={arrow:R`<path d="M2.5 8h10M9 4.5 12.5 8 9 11.5" />`,check:R`<path d="m3.5 8.5 3 3 6-7" />`,bar:R`<circle cx="8" cy="8" r="5.7" /><path d="M5.3 8h5.4" />`,back:R`<path d="M6 3.5 3 6.5l3 3M3 6.5h6.2a3.3 3.3 0 0 1 0 6.6H6.5" />`,stop:R`<rect x="4" y="4" width="8" height="8" rx="1.2" />`,pause:R`<path d="M5.7 4v8M10.3 4v8" stroke-width="2" />`,gauge:R`<path d="M3.3 12.2a5.9 5.9 0 1 1 9.4 0M8 9.4l2.6-3.5" /><path d="M8 9.4h.01" stroke-width="2.4" />`,alert:R`<path d="M8 2.6 14 13H2L8 2.6ZM8 6.6v3M8 11.3v.1" />`,cross:R`<path d="m4 4 8 8M12 4l-8 8" />`,clock:R`<circle cx="8" cy="8" r="5.7" /><path d="M8 4.8V8l2.2 1.4" />`,dots:R`<path d="M3.8 8h.01M8 8h.01M12.2 8h.01" stroke-width="2.4" />`,search:R`<circle cx="7" cy="7" r="4.2" /><path d="m10.2 10.2 3.3 3.3" />`,info:R`<circle cx="8" cy="8" r="5.7" /><path d="M8 7.4v3.4M8 5.1v.1" />`,host:R`<rect x="2.3" y="3" width="11.4" height="4.2" rx="1" /><rect x="2.3" y="8.8" width="11.4" height="4.2" rx="1" /><path d="M4.8 5.1h.01M4.8 10.9h.01" stroke-width="1.8" />`,moves:R`<path d="M2.5 5.2h9.2M9.3 2.7l2.6 2.5-2.6 2.5M13.5 10.8H4.3M6.7 8.3l-2.6 2.5 2.6 2.5" />`,grid:R`<rect x="2.5" y="2.5" width="4.4" height="4.4" rx=".8" /><rect x="9.1" y="2.5" width="4.4" height="4.4" rx=".8" /><rect x="2.5" y="9.1" width="4.4" height="4.4" rx=".8" /><rect x="9.1" y="9.1" width="4.4" height="4.4" rx=".8" />`,rules:R`<path d="M8 2 3 3.8v3.7c0 3 2 5.2 5 6.5 3-1.3 5-3.5 5-6.5V3.8L8 2Z" /><path d="m5.8 8 1.6 1.6L10.3 6.5" />`,grip:R`<path d="M6 4h.01M6 8h.01M6 12h.01M10 4h.01M10 8h.01M10 12h.01" stroke-width="1.9" />`,down:R`<path d="m4 6.2 4 4 4-4" />`,right:R`<path d="m6.2 4 4 4-4 4" />`,sun:R`<circle cx="8" cy="8" r="2.7" /><path d="M8 1.8v1.5M8 12.7v1.5M1.8 8h1.5M12.7 8h1.5M3.6 3.6l1 1M11.4 11.4l1 1M12.4 3.6l-1 1M4.6 11.4l-1 1" />`,moon:R`<path d="M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8Z" />`,auto:R`<circle cx="8" cy="8" r="5.7" /><path d="M8 2.3v11.4a5.7 5.7 0 0 0 0-11.4Z" fill="currentColor" stroke="none" />`,again:R`<path d="M13 8a5 5 0 1 1-1.6-3.7M13 2.6v2.9h-2.9" />`,bolt:R`<path d="M8.8 1.8 3.4 9.1h3.9l-.6 5.1 5.6-7.6H8.3l.5-4.8Z" />`,person:R`<circle cx="8" cy="5.4" r="2.6" /><path d="M3 13.2c.5-2.6 2.4-4 5-4s4.5 1.4 5 4" />`,leave:R`<path d="M6.5 2.8H3.2v10.4h3.3M6.8 8h6.7M11 5.5 13.5 8 11 10.5" />`,unlinked:R`<path d="M6.6 9.4 5.2 10.8a2.4 2.4 0 0 1-3.4-3.4L3.6 5.6M9.4 6.6l1.4-1.4a2.4 2.4 0 0 1 3.4 3.4l-1.8 1.8M3 2.6l10 10.8" />`};function H(e){return L`<svg
    class="icon"
    viewBox="0 0 16 16"
    fill="none"
    stroke="currentColor"
    stroke-width="1.5"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
    focusable="false"
  >
    ${Dt[e]??Dt.dots}
  </svg>`}function Ot(e){return L`<div class="callout warn" role="alert">
    ${H(`unlinked`)}<strong>Signed out</strong>
    <span>The service wants to know who asks: ${e.message}. Migrations go on without this page.</span>
    ${e.remedy?L`<span class="soft">${e.remedy}</span>`:z}
  </div>`}function kt(e){let{link:t}=e;return t.state===`denied`?Ot(t.problem):t.state===`lost`?L`<div class="callout warn" role="status">
    ${H(`unlinked`)}
    ${e.listed?L`<strong>Connection lost at ${Tt(new Date(t.since).toISOString())}</strong>
            <span>What is shown is of then. Migrations go on without this page; it is tried again by itself.</span>`:L`<strong>Not connected: ${t.problem.message}</strong>
            ${t.problem.cause?L`<span>${t.problem.cause}</span>`:z}
            <span>It is tried again by itself.</span>`}
    <span><button @click=${()=>e.retry()}>${H(`again`)}Try now</button></span>
  </div>`:z}var At={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},jt=e=>(...t)=>({_$litDirective$:e,values:t}),Mt=class{constructor(e){}get _$AU(){return this._$AM._$AU}_$AT(e,t,n){this._$Ct=e,this._$AM=t,this._$Ci=n}_$AS(e,t){return this.update(e,t)}update(e,t){return this.render(...t)}},Nt={queued:{label:`Queued`,tone:`idle`,icon:`clock`},preparing:{label:`Preparing`,tone:`busy`,icon:`dots`},moving:{label:`Moving`,tone:`busy`,icon:`arrow`},"post-copy":{label:`Moving, post-copy`,tone:`busy`,icon:`arrow`},finishing:{label:`Verifying`,tone:`busy`,icon:`dots`},cancelling:{label:`Cancelling`,tone:`warn`,icon:`stop`},recovering:{label:`Recovering`,tone:`warn`,icon:`search`},completed:{label:`Completed`,tone:`good`,icon:`check`},refused:{label:`Refused`,tone:`note`,icon:`bar`},"rolled-back":{label:`Rolled back`,tone:`warn`,icon:`back`},cancelled:{label:`Cancelled`,tone:`idle`,icon:`stop`},stuck:{label:`Stuck`,tone:`bad`,icon:`alert`},lost:{label:`Lost`,tone:`dead`,icon:`cross`}};function Pt(e){return Nt[e]??{label:e,tone:`idle`,icon:`dots`}}function Ft(e,t){return e===null?``:t===null?`place ${e}`:`place ${e} of ${Math.max(e,t)}`}var It={ready:{label:`Ready`,tone:`good`,icon:`check`},"last-good":{label:`Last good version`,tone:`warn`,icon:`alert`},broken:{label:`Broken`,tone:`bad`,icon:`cross`},"settings-refused":{label:`Settings refused`,tone:`bad`,icon:`bar`},missing:{label:`Missing`,tone:`bad`,icon:`search`},ignored:{label:`Not used`,tone:`idle`,icon:`stop`}};function Lt(e){return It[e]??{label:e,tone:`idle`,icon:`dots`}}var Rt={blocker:{label:`Blocker`,tone:`bad`,icon:`bar`},warning:{label:`Warning`,tone:`warn`,icon:`alert`},info:{label:`Note`,tone:`idle`,icon:`info`}};function zt(e){return Rt[e]??{label:e,tone:`idle`,icon:`info`}}var Bt={running:`good`,paused:`warn`,"shut-off":`idle`,crashed:`bad`,suspended:`warn`,"shutting-down":`warn`,blocked:`good`};function Vt(e){return Bt[e]??`idle`}var Ht={wait:{label:`Look again later`,says:`Nothing is done now.`},"abort-job":{label:`Abort the job`,says:`libvirt is asked to abort the job that runs on either host.`},"resume-source":{label:`Resume on the source`,says:`The source's copy runs again.`},"resume-destination":{label:`Resume on the destination`,says:`The destination's copy runs.`},"destroy-destination":{label:`End the destination's copy`,says:`The copy on the destination, which never ran, is destroyed.`},"undefine-destination":{label:`Remove the definition on the destination`,says:`The definition that this migration left on the destination is removed.`},"destroy-source":{label:`End the source's copy`,says:`The paused copy on the source, which the running destination has overtaken, is destroyed.`},"resume-post-copy":{label:`Resume post-copy`,says:`The two halves of the interrupted post-copy are joined again.`},"interrupt-post-copy":{label:`Interrupt post-copy`,says:`The post-copy is interrupted on the source, which has not noticed that nothing comes through.`},"try-again":{label:`Try again`,says:`What this attempt made ready is undone, and another attempt begins.`},"accept-source":{label:`Accept: it is on the source`,says:`The task is finished; the domain is on the source.`},"accept-destination":{label:`Accept: it is on the destination`,says:`The task is finished; the domain is on the destination.`},"hand-over":{label:`Leave it to a person`,says:`The task ends as stuck.`},"declare-lost":{label:`Declare it lost`,says:`The task ends as lost: no copy runs and none can be continued.`}};function Ut(e){return Ht[e]??{label:e,says:``}}var Wt={precheck:`may it move`,transform:`edits on the way`,convergence:`how hard to push`,recovery:`what after a failure`,placement:`where to`};function Gt(e){return Wt[e]??``}function Kt(e){return e.replaceAll(`-`,` `)}var qt=jt(class extends Mt{constructor(e){if(super(e),e.type!==At.ELEMENT)throw Error(`part() stands in the tag of an element`)}render(e){return he}update(e,[t]){return t!==this.before&&e.element.style.setProperty(`--part`,String(t)),this.before=t,he}});function Jt(e,t=``){return L`<span class="badge ${e.tone}">${H(e.icon)}${e.label}${t?` ${t}`:z}</span>`}var Yt=(e,t=``)=>Jt(Pt(e),t),Xt=e=>Jt(Lt(e)),Zt=e=>Jt(zt(e));function Qt(e){return e?L`<time datetime=${e} title=${Et(e)}>${Tt(e)}</time>`:z}function $t(e,t,n){return L`<div
    class="bar ${t}"
    role="progressbar"
    aria-label=${n}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${Math.floor(e)}
    aria-valuetext=${yt(e)}
  >
    <i ${qt(e/100)}></i>
  </div>`}function en(e,t,n){return e.denied?Ot(e):L`<div class="callout bad" role="alert">
    ${H(`alert`)}
    <strong>${t}: ${e.message}</strong>
    ${e.cause?L`<span>${e.cause}</span>`:z}
    ${e.remedy?L`<span class="soft">${e.remedy}</span>`:z}
    ${n?L`<span><button @click=${n}>${H(`again`)}Try again</button></span>`:z}
  </div>`}function tn(e,t,n){return L`<div class="empty">${H(e)}<strong>${t}</strong><span>${n}</span></div>`}function nn(e){return L`<div class="stack" aria-busy="true">
    <span class="hidden" role="status">Loading</span>
    ${Array.from({length:e},()=>L`<div class="bones">&nbsp;</div>`)}
  </div>`}var rn=[f`
  :host {
    color-scheme: light dark;

    --font: var(--waypost-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif);
    --mono: var(--waypost-font-mono, ui-monospace, "SF Mono", "Cascadia Mono", "Roboto Mono", "DejaVu Sans Mono", monospace);

    /* One scale. */
    --t-xs: 0.75rem;
    --t-s: 0.8125rem;
    --t-m: 0.875rem;
    --t-l: 1rem;
    --t-xl: 1.25rem;
    --t-xxl: 1.625rem;

    --r-s: var(--waypost-radius-small, 5px);
    --r-m: var(--waypost-radius, 9px);

    --surface: var(--waypost-surface, light-dark(#ffffff, #171b21));
    --sunken: var(--waypost-sunken, light-dark(#f3f5f8, #101317));
    --raised: var(--waypost-raised, light-dark(#ffffff, #1d222a));
    --hover: var(--waypost-hover, light-dark(#f1f4f8, #222832));
    --line: var(--waypost-line, light-dark(#dfe4ea, #2c333d));
    --line-strong: var(--waypost-line-strong, light-dark(#8792a1, #6b7685));
    --text: var(--waypost-text, light-dark(#18202a, #e6eaf0));
    --soft: var(--waypost-text-soft, light-dark(#566171, #a1acba));

    --accent: var(--waypost-accent, light-dark(#0b6a62, #56c7b8));
    --on-accent: var(--waypost-on-accent, light-dark(#ffffff, #06211e));
    --accent-tint: var(--waypost-accent-tint, light-dark(#e2f3f0, #14322f));

    --idle: light-dark(#566171, #a1acba);
    --idle-tint: light-dark(#eceff3, #262c35);
    --busy: var(--waypost-busy, light-dark(#1b5fc1, #7fb2ff));
    --busy-tint: var(--waypost-busy-tint, light-dark(#e6effc, #172a46));
    --good: var(--waypost-good, light-dark(#1a6e3c, #6fce92));
    --good-tint: var(--waypost-good-tint, light-dark(#e3f4e9, #15301f));
    --note: var(--waypost-note, light-dark(#6b47b8, #bfa3f7));
    --note-tint: var(--waypost-note-tint, light-dark(#f0eafc, #2b2242));
    --warn: var(--waypost-warn, light-dark(#855400, #eeb457));
    --warn-tint: var(--waypost-warn-tint, light-dark(#fdf1d9, #37290f));
    --bad: var(--waypost-bad, light-dark(#b3261e, #ff9288));
    --bad-tint: var(--waypost-bad-tint, light-dark(#fce8e6, #43201d));
    --dead: var(--waypost-dead, light-dark(#9c1458, #ff8fbe));
    --dead-tint: var(--waypost-dead-tint, light-dark(#fbe6f0, #421a2e));

    --shadow: light-dark(
      0 1px 2px rgb(16 24 40 / 6%),
      0 1px 2px rgb(0 0 0 / 40%)
    );
    --ring: 0 0 0 2px var(--surface), 0 0 0 4px var(--accent);
  }
  :host([theme="light"]) {
    color-scheme: light;
  }
  :host([theme="dark"]) {
    color-scheme: dark;
  }
`,f`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :host {
    display: block;
    font: 400 var(--t-m) / 1.45 var(--font);
    font-variant-numeric: tabular-nums;
    color: var(--text);
    container-type: inline-size;
    text-align: start;
  }
  :host([hidden]) {
    display: none;
  }
  h2,
  h3,
  h4,
  p,
  dl,
  dd,
  ul,
  ol,
  figure {
    margin: 0;
  }
  ul,
  ol {
    padding: 0;
    list-style: none;
  }
  h2 {
    font-size: var(--t-xl);
    font-weight: 650;
    letter-spacing: -0.012em;
    line-height: 1.25;
  }
  h3 {
    font-size: var(--t-m);
    font-weight: 650;
  }
  h4 {
    font-size: var(--t-s);
    font-weight: 600;
  }
  a {
    color: var(--accent);
    text-decoration-thickness: 1px;
    text-underline-offset: 2px;
  }
  code,
  .mono {
    font-family: var(--mono);
    font-size: 0.92em;
  }
  .soft {
    color: var(--soft);
  }
  .small {
    font-size: var(--t-s);
  }
  .tiny {
    font-size: var(--t-xs);
  }
  .break {
    overflow-wrap: anywhere;
  }
  .ellipsis {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    min-width: 0;
  }
  .hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .row {
    display: flex;
    align-items: center;
    gap: 8px;
    flex-wrap: wrap;
  }
  .spread {
    justify-content: space-between;
  }
  .stack {
    display: grid;
    gap: 12px;
  }
  svg.icon {
    width: 1em;
    height: 1em;
    flex: none;
    vertical-align: -0.125em;
  }
  :focus-visible {
    outline: none;
    box-shadow: var(--ring);
    border-radius: var(--r-s);
  }
  @media (forced-colors: active) {
    :focus-visible {
      outline: 2px solid Highlight;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation: none !important;
      transition: none !important;
      scroll-behavior: auto !important;
    }
  }
`,f`
  button,
  .button,
  select,
  input:not([type="checkbox"], [type="radio"]) {
    font: inherit;
    font-size: var(--t-s);
    color: inherit;
    min-height: 32px;
    border: 1px solid color-mix(in srgb, var(--line-strong) 55%, var(--line));
    border-radius: var(--r-s);
    background: var(--raised);
    padding: 4px 10px;
  }
  button,
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 6px;
    cursor: pointer;
    font-weight: 550;
    text-decoration: none;
    white-space: nowrap;
    transition: background-color 0.12s;
  }
  button:where(:hover:not(:disabled, [aria-disabled="true"])),
  .button:hover {
    background: var(--hover);
  }
  button.primary {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
  }
  button.primary:where(:hover:not(:disabled)) {
    background: color-mix(in srgb, var(--accent) 88%, var(--text));
  }
  button.danger {
    color: var(--bad);
    border-color: color-mix(in srgb, var(--bad) 45%, var(--line));
  }
  button.danger.primary {
    background: light-dark(#b3261e, #ff9288);
    border-color: transparent;
    color: light-dark(#ffffff, #3a0c08);
  }
  button:disabled,
  button[aria-disabled="true"],
  button.primary:disabled {
    color: var(--soft);
    cursor: not-allowed;
    background: var(--sunken);
    border: 1px dashed var(--line-strong);
  }
  button.quiet {
    border-color: transparent;
    background: transparent;
    color: var(--soft);
    padding-inline: 8px;
  }
  button.quiet:hover:not(:disabled) {
    color: var(--text);
    background: var(--hover);
  }
  button.bare {
    all: unset;
    cursor: pointer;
  }
  button.bare:focus-visible {
    box-shadow: var(--ring);
    border-radius: var(--r-s);
  }
  label.field input,
  label.field select {
    font-weight: 400;
  }
  input::placeholder {
    color: var(--soft);
    opacity: 1;
  }
  input[type="search"] {
    min-width: 0;
    width: 15rem;
    max-width: 100%;
  }
  input[type="checkbox"],
  input[type="radio"] {
    accent-color: var(--accent);
    width: 16px;
    height: 16px;
    margin: 0;
    flex: none;
  }
  label.field {
    display: grid;
    gap: 4px;
    font-size: var(--t-s);
    font-weight: 550;
  }
  label.tick {
    display: flex;
    gap: 8px;
    align-items: flex-start;
    font-size: var(--t-s);
  }
  label.tick input {
    margin-top: 2px;
  }
`,f`
  .panel {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: var(--r-m);
    box-shadow: var(--shadow);
  }
  .badge {
    display: inline-flex;
    align-items: center;
    gap: 5px;
    font-size: var(--t-xs);
    font-weight: 600;
    line-height: 1;
    padding: 4px 8px 4px 6px;
    border-radius: 99px;
    white-space: nowrap;
    color: var(--tone);
    background: var(--tint);
  }
  .tag {
    display: inline-block;
    font-size: var(--t-xs);
    line-height: 1.2;
    padding: 2px 6px;
    border: 1px solid var(--line);
    border-radius: var(--r-s);
    color: var(--soft);
    white-space: nowrap;
  }
  .idle {
    --tone: var(--idle);
    --tint: var(--idle-tint);
  }
  .busy {
    --tone: var(--busy);
    --tint: var(--busy-tint);
  }
  .good {
    --tone: var(--good);
    --tint: var(--good-tint);
  }
  .note {
    --tone: var(--note);
    --tint: var(--note-tint);
  }
  .warn {
    --tone: var(--warn);
    --tint: var(--warn-tint);
  }
  .bad {
    --tone: var(--bad);
    --tint: var(--bad-tint);
  }
  .dead {
    --tone: var(--dead);
    --tint: var(--dead-tint);
  }
  .toned {
    color: var(--tone);
  }
  .callout {
    position: relative;
    display: grid;
    gap: 3px;
    padding: 9px 12px 9px 38px;
    border-radius: var(--r-m);
    background: var(--tint);
    border: 1px solid color-mix(in srgb, var(--tone) 32%, transparent);
    font-size: var(--t-s);
    overflow-wrap: anywhere;
  }
  .callout > svg {
    color: var(--tone);
    position: absolute;
    inset: 11px auto auto 12px;
    font-size: 16px;
  }
  .empty {
    display: grid;
    justify-items: center;
    gap: 6px;
    padding: 40px 20px;
    text-align: center;
    color: var(--soft);
    font-size: var(--t-s);
  }
  .empty svg {
    font-size: 26px;
    opacity: 0.75;
  }
  :host([compact]) .empty {
    display: flex;
    align-items: center;
    gap: 8px;
    padding: 12px 14px;
  }
  :host([compact]) .empty svg {
    font-size: 16px;
  }
  :host([compact]) .empty span {
    display: none;
  }
  .empty strong {
    color: var(--text);
    font-size: var(--t-m);
    font-weight: 600;
  }
  .bar {
    position: relative;
    height: 6px;
    border-radius: 99px;
    background: var(--idle-tint);
    overflow: hidden;
    box-shadow: inset 0 0 0 1px color-mix(in srgb, var(--line-strong) 22%, transparent);
  }
  .bar > i {
    position: absolute;
    inset: 0;
    transform-origin: 0 50%;
    transform: scaleX(var(--part, 0));
    background: var(--tone, var(--accent));
    transition: transform 0.25s linear;
  }
  .scroll {
    overflow: auto;
    scrollbar-width: thin;
  }
  table {
    width: 100%;
    border-collapse: collapse;
    font-size: var(--t-s);
  }
  th {
    text-align: start;
    font-weight: 550;
    color: var(--soft);
    font-size: var(--t-xs);
    white-space: nowrap;
    background: var(--surface);
  }
  th,
  td {
    padding: 7px 10px;
    border-bottom: 1px solid var(--line);
    vertical-align: middle;
  }
  tbody tr:last-child > * {
    border-bottom: 0;
  }
  td.number,
  th.number {
    text-align: end;
  }
  dl.facts {
    display: grid;
    grid-template-columns: max-content minmax(0, 1fr);
    gap: 3px 14px;
    font-size: var(--t-s);
  }
  dl.facts dt {
    color: var(--soft);
  }
  dl.facts dd {
    overflow-wrap: anywhere;
  }
  summary {
    cursor: pointer;
  }
  .bones {
    border-radius: var(--r-s);
    background: var(--idle-tint);
    min-height: 1em;
    animation: breathe 1.6s ease-in-out infinite alternate;
  }
  @keyframes breathe {
    to {
      opacity: 0.5;
    }
  }
`],an=`waypost-recolour`,U={},W=new Set;function on(e){U={...e};for(let e of W)e.requestUpdate()}var G=class extends je{constructor(...e){super(...e),this.current=null,this.unwatch=null,this.away=!1,this.deniedTold=!1}static{this.properties={base:{type:String},token:{type:String},theme:{type:String,reflect:!0},quiet:{type:Boolean}}}static{this.styles=[rn]}get client(){return this.current??this.resolve()}get live(){return ot.of(this.client)}get follows(){return!1}served(){}permits(e){return st(this.live.who,e)}connectedCallback(){super.connectedCallback(),W.add(this),this.current&&this.attach()}disconnectedCallback(){super.disconnectedCallback(),W.delete(this),this.unwatch?.(),this.unwatch=null}willUpdate(e){let t=this.resolve();t!==this.current&&(this.current=t,this.attach(),this.served()),this.follows||this.live.who||this.deniedTold||this.live.know().then(()=>this.requestUpdate(),()=>{})}updated(e){e.has(`theme`)&&dispatchEvent(new Event(an))}tell(e,t){return this.dispatchEvent(new CustomEvent(e,{detail:t,bubbles:!0,composed:!0,cancelable:!0}))}resolve(){return i.of(this.base??U.base,this.token??U.token)}attach(){this.unwatch?.(),this.deniedTold=!1;let e=[this.client.whenDenied(e=>this.denied(e))];this.follows&&e.push(this.live.watch(()=>this.hear())),this.unwatch=()=>e.forEach(e=>e())}hear(){let{state:e}=this.live.link;e===`live`&&(this.deniedTold=!1,this.away&&this.back()),this.away=e===`lost`||e===`denied`||e===`resting`||this.away&&e!==`live`,this.heard()}denied(e){this.deniedTold||(this.deniedTold=!0,this.requestUpdate(),this.tell(`waypost-signed-out`,{code:e.code,detail:e.message})&&this.signedOut())}signedOut(){}back(){}linkNote(){return this.quiet?z:kt(this.live)}problemNote(e,t,n){return e.denied&&this.follows?z:en(e,t,n)}heard(){this.requestUpdate()}},K=class{constructor(e,t,n=null){this.host=e,this.read=t,this.every=n,this.value=null,this.at=0,this.problem=null,this.loading=!1,this.running=null,this.round=0,this.connected=!1,this.seen=()=>{this.every!==null&&document.visibilityState!==`hidden`&&(Date.now()-this.at>this.every?this.reload():this.next())},e.addController(this)}hostConnected(){this.connected=!0,document.addEventListener(`visibilitychange`,this.seen)}hostDisconnected(){this.connected=!1,clearTimeout(this.timer),document.removeEventListener(`visibilitychange`,this.seen)}reload(){return this.running??=this.once().finally(()=>this.running=null)}reset(){this.round+=1,this.running=null,this.value=null,this.problem=null,this.at=0}async once(){clearTimeout(this.timer);let t=this.round;this.loading=!0,this.host.requestUpdate();try{let e=await this.read();if(t!==this.round)return;this.value=e,this.at=Date.now(),this.problem=null}catch(n){if(t!==this.round)return;this.problem=e.of(n)}this.loading=!1,this.host.requestUpdate(),this.next()}next(){clearTimeout(this.timer),this.problem?.denied||this.every!==null&&this.connected&&document.visibilityState!==`hidden`&&(this.timer=setTimeout(()=>void this.reload(),this.every))}},sn=class extends G{static{this.properties={task:{type:String},plugin:{type:String},recent:{type:Number},decisions:{attribute:!1},open:{state:!0}}}static{this.styles=[G.styles,f`
      .scroll {
        max-height: min(70vh, 560px);
      }
      thead th {
        position: sticky;
        top: 0;
        z-index: 1;
        box-shadow: inset 0 -1px var(--line);
      }
      td:first-child {
        white-space: nowrap;
      }
      .answer {
        max-width: 46ch;
        overflow-wrap: anywhere;
      }
      .fault {
        color: var(--bad);
      }
      .inside {
        padding: 4px 10px 12px 30px;
      }
      pre {
        margin: 0;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      td button {
        min-height: 24px;
        padding: 0 4px;
        vertical-align: middle;
      }
      tr.open > * {
        border-bottom-color: transparent;
      }
      .turn {
        display: inline-grid;
        transition: rotate 0.12s;
      }
      [aria-expanded="true"] .turn {
        rotate: 90deg;
      }
    `]}constructor(){super(),this.rows=new K(this,()=>this.read()),this.recent=50,this.decisions=null,this.open=null}served(){this.begin()}willUpdate(e){super.willUpdate(e),this.hasUpdated&&(e.has(`task`)||e.has(`plugin`))&&this.begin()}begin(){this.rows.reset(),this.open=null,!this.decisions&&(this.task||this.plugin)&&this.rows.reload()}async read(){if(this.task){let{decisions:e}=await this.client.records(this.task);return e.filter(e=>!this.plugin||e.plugin===this.plugin).map(e=>({decision:e,of:null}))}let{decisions:e}=await this.client.decisions(this.plugin,this.recent);return e.map(({decision:e,task:t,domain:n})=>({decision:e,of:{id:t,domain:n}}))}render(){let e=this.decisions?.map(e=>({decision:e,of:null}))??this.rows.value;if(!e)return this.rows.problem?en(this.rows.problem,`The decisions could not be read`,()=>void this.rows.reload()):!this.task&&!this.plugin?L`<p class="soft">This element needs <code>task</code> or <code>plugin</code>.</p>`:nn(3);if(!e.length)return this.plugin&&!this.task?tn(`rules`,`No decision of it`,`It was asked in no migration that is on record.`):tn(`rules`,`No decisions`,`No policy was asked in this migration.`);let t=e.some(e=>e.of);return L`<div class="scroll" role="region" aria-label="Decisions" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">When</th>
            ${t?L`<th scope="col">Migration of</th>`:z}
            ${this.plugin?z:L`<th scope="col">Policy</th>`}
            <th scope="col">Hook</th>
            <th scope="col">Mode</th>
            <th scope="col">Answer</th>
            <th scope="col" class="number">Took</th>
          </tr>
        </thead>
        <tbody>${e.map((e,n)=>this.row(e,n,t))}</tbody>
      </table>
    </div>`}row({decision:e,of:t},n,r){let i=this.open===n,a=5+ +!!r+ +!this.plugin;return L`<tr class=${i?`open`:``}>
        <td>
          <button class="quiet" aria-expanded=${i} aria-label="What it was given" @click=${()=>this.open=i?null:n}>
            <span class="turn">${H(`right`)}</span>
          </button>
          ${Qt(e.decided_at)}
        </td>
        ${r?L`<td>${t?.domain}</td>`:z}
        ${this.plugin?z:L`<td class="mono">${e.plugin}</td>`}
        <td title=${Gt(e.hook)}>${e.hook}</td>
        <td>${e.mode===`enforce`?`enforce`:L`<span class="tag">${e.mode}</span>`}</td>
        <td class="answer">${e.fault?L`<span class="fault">${H(`alert`)} ${e.fault}</span>`:e.answer}</td>
        <td class="number soft">${(e.micros/1e3).toFixed(1)} ms</td>
      </tr>
      ${i?L`<tr><td colspan=${a} class="inside">${this.given(e)}</td></tr>`:z}`}given(e){return L`<dl class="facts tiny">
      ${e.fault?L`<dt>Its answer</dt><dd>${e.answer||`none`}</dd>`:z}
      <dt>Settings</dt><dd>${e.settings===null?`shown to whoever may change policies`:L`<pre class="mono">${q(e.settings)}</pre>`}</dd>
      <dt>Facts it read</dt><dd class="mono">${e.facts_read.join(`, `)||`none`}</dd>
      <dt>Digest of the facts</dt><dd class="mono">${e.facts_digest}</dd>
      <dt>Digest of the policy</dt><dd class="mono">${e.digest}</dd>
      <dt>Fuel</dt><dd>${e.fuel.toLocaleString()}</dd>
    </dl>`}};function q(e){try{return JSON.stringify(JSON.parse(e),null,1).replace(/\n\s*/g,` `)}catch{return e}}customElements.define(`waypost-decisions`,sn);var cn=jt(class extends Mt{constructor(e){if(super(e),e.type!==At.ATTRIBUTE||e.name!==`class`||e.strings?.length>2)throw Error("`classMap()` can only be used in the `class` attribute and must be the only part in the attribute.")}render(e){return` `+Object.keys(e).filter(t=>e[t]).join(` `)+` `}update(e,[t]){if(this.st===void 0){this.st=new Set,e.strings!==void 0&&(this.nt=new Set(e.strings.join(` `).split(/\s/).filter(e=>e!==``)));for(let e in t)t[e]&&!this.nt?.has(e)&&this.st.add(e);return this.render(t)}let n=e.element.classList;for(let e of this.st)e in t||(n.remove(e),this.st.delete(e));for(let e in t){let r=!!t[e];r===this.st.has(e)||this.nt?.has(e)||(r?(n.add(e),this.st.add(e)):(n.remove(e),this.st.delete(e)))}return he}}),{I:ln}=De,un=e=>e,dn=()=>document.createComment(``),fn=(e,t,n)=>{let r=e._$AA.parentNode,i=t===void 0?e._$AB:t._$AA;if(n===void 0)n=new ln(r.insertBefore(dn(),i),r.insertBefore(dn(),i),e,e.options);else{let t=n._$AB.nextSibling,a=n._$AM,o=a!==e;if(o){let t;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(t=e._$AU)!==a._$AU&&n._$AP(t)}if(t!==i||o){let e=n._$AA;for(;e!==t;){let t=un(e).nextSibling;un(r).insertBefore(e,i),e=t}}}return n},pn=(e,t,n=e)=>(e._$AI(t,n),e),mn={},hn=(e,t=mn)=>e._$AH=t,gn=e=>e._$AH,_n=e=>{e._$AR(),e._$AA.remove()},vn=(e,t,n)=>{let r=new Map;for(let i=t;i<=n;i++)r.set(e[i],i);return r},yn=jt(class extends Mt{constructor(e){if(super(e),e.type!==At.CHILD)throw Error(`repeat() can only be used in text expressions`)}dt(e,t,n){let r;n===void 0?n=t:t!==void 0&&(r=t);let i=[],a=[],o=0;for(let t of e)i[o]=r?r(t,o):o,a[o]=n(t,o),o++;return{values:a,keys:i}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,r]){let i=gn(e),{values:a,keys:o}=this.dt(t,n,r);if(!Array.isArray(i))return this.ut=o,a;let s=this.ut??=[],c=[],l,u,d=0,f=i.length-1,p=0,m=a.length-1;for(;d<=f&&p<=m;)if(i[d]===null)d++;else if(i[f]===null)f--;else if(s[d]===o[p])c[p]=pn(i[d],a[p]),d++,p++;else if(s[f]===o[m])c[m]=pn(i[f],a[m]),f--,m--;else if(s[d]===o[m])c[m]=pn(i[d],a[m]),fn(e,c[m+1],i[d]),d++,m--;else if(s[f]===o[p])c[p]=pn(i[f],a[p]),fn(e,i[d],i[f]),f--,p++;else if(l===void 0&&(l=vn(o,p,m),u=vn(s,d,f)),l.has(s[d])){if(l.has(s[f])){let t=u.get(o[p]),n=t===void 0?null:i[t];if(n===null){let t=fn(e,i[d]);pn(t,a[p]),c[p]=t}else c[p]=pn(n,a[p]),fn(e,i[d],n),i[t]=null;p++}else _n(i[f]),f--}else _n(i[d]),d++;for(;p<=m;){let t=fn(e,c[m+1]);pn(t,a[p]),c[p++]=t}for(;d<=f;){let e=i[d++];e!==null&&_n(e)}return this.ut=o,hn(e,c),he}}),bn=[`blocker`,`warning`,`info`];function xn(e){let t=e=>(bn.indexOf(e.weight)+bn.length+1)%(bn.length+1);return e.findings.filter(e=>e.mode!==`shadow`).sort((e,n)=>t(e)-t(n))}function Sn(e){let[t,n,r]=bn.map(t=>xn(e).filter(e=>e.weight===t).length);return e.decision!==`allowed`||e.plan_error?{tone:`bad`,icon:`bar`,word:`Refused`,why:t?bt(t,`blocker`):`no plan can be made`,refused:!0}:n?{tone:`warn`,icon:`alert`,word:`Allowed`,why:bt(n,`warning`),refused:!1}:{tone:`good`,icon:`check`,word:`Allowed`,why:r?bt(r,`note`):``,refused:!1}}function Cn(e){let t=xn(e),n=e.plan_error&&!t.some(t=>t.message===e.plan_error);return!t.length&&!n?L`<p class="soft small">Every policy that was asked agrees, and none has a remark.</p>`:L`<ul class="findings">
    ${n?L`<li><div>${H(`bar`)}</div><p>${e.plan_error}</p></li>`:z}
    ${t.map(e=>L`<li>
        <div class="row">
          ${Zt(e.weight)}
          <span class="tiny soft"><code>${e.code}</code> · ${e.plugin}</span>
        </div>
        <p>${e.message}</p>
        ${e.remedy?L`<p class="remedy"><span class="soft">What helps:</span> ${e.remedy}</p>`:z}
        ${e.evidence.length?L`<dl class="facts tiny">
                ${e.evidence.map(({name:e,value:t})=>L`<dt>${e}</dt><dd class="mono">${t}</dd>`)}
              </dl>`:z}
      </li>`)}
  </ul>`}var wn=f`
  .findings {
    display: grid;
    gap: 12px;
    font-size: var(--t-s);
  }
  .findings li {
    display: grid;
    gap: 4px;
    overflow-wrap: anywhere;
  }
`,Tn=class extends je{static{this.properties={heading:{type:String},busy:{type:Boolean}}}static{this.styles=[rn,f`
      :host {
        display: contents;
        color-scheme: inherit;
      }
      dialog {
        font: 400 var(--t-m) / 1.45 var(--font);
        font-variant-numeric: tabular-nums;
        color: var(--text);
        background: var(--raised);
        border: 1px solid var(--line);
        border-radius: calc(var(--r-m) + 4px);
        padding: 0;
        width: min(560px, calc(100vw - 24px));
        max-height: min(84vh, 900px);
        overflow: hidden;
        box-shadow: 0 16px 48px rgb(8 15 25 / 28%);
      }
      dialog[open] {
        display: grid;
        grid-template-rows: auto minmax(0, 1fr) auto;
      }
      dialog::backdrop {
        background: rgb(10 15 22 / 48%);
      }
      header {
        display: flex;
        justify-content: space-between;
        align-items: flex-start;
        gap: 12px;
        padding: 16px 18px 10px;
      }
      h2 {
        font-size: var(--t-l);
        overflow-wrap: anywhere;
      }
      header button {
        margin: -4px -8px 0 0;
        width: 32px;
        padding: 0;
      }
      .body {
        padding: 2px 18px 16px;
        overflow: auto;
        scrollbar-width: thin;
      }
      footer {
        display: flex;
        flex-wrap: wrap;
        justify-content: flex-end;
        gap: 8px;
        padding: 12px 18px;
        border-top: 1px solid var(--line);
        background: var(--sunken);
      }
    `]}get dialog(){return this.renderRoot.querySelector(`dialog`)}firstUpdated(e){this.dialog.showModal()}disconnectedCallback(){super.disconnectedCallback(),this.dialog?.close()}render(){return L`<dialog
      aria-labelledby="heading"
      @cancel=${e=>this.busy&&e.preventDefault()}
      @close=${()=>this.dispatchEvent(new Event(`done`))}
      @click=${e=>e.target===this.dialog&&this.close()}
    >
      <header>
        <h2 id="heading">${this.heading}</h2>
        <button class="quiet" aria-label="Close" ?disabled=${this.busy} @click=${this.close}>${H(`cross`)}</button>
      </header>
      <div class="body" tabindex="-1"><slot></slot></div>
      <footer><slot name="actions"></slot></footer>
    </dialog>`}close(){this.busy||this.dialog.close()}};customElements.define(`waypost-dialog`,Tn);function En({plan:e,prediction:t,writing:n}){let r=e?.stream.stands_still===!0;if(t)return On(t,r);if(!n)return{says:`not known: the guest was not measured.`,from:``};let i=n.converges_above_bytes_per_s,a=`${Dn(n.dirty_bytes_per_s,r)}.`;return i?{says:`not known: no bandwidth is known; it converges above ${_t(i)}.`,from:a}:{says:`it converges over any network. How long it takes is not known: no bandwidth is known.`,from:a}}function Dn(e,t){return t?`The guest stands still meanwhile and writes nothing`:`The guest was measured to dirty ${_t(e)}`}function On(e,t){let{total_ms:n,downtime_ms:r}=e,i=kn[e.bandwidth_from??``]??``,a=`${Dn(e.dirty_bytes_per_s,t)}; the way is reckoned with ${_t(e.bandwidth_bytes_per_s)}${i}.`;return!e.converges||r===null?{says:`it does not come to an end by itself. Post-copy or a slower guest would end it.`,from:a,endless:!0}:n===null?{says:`how long its disks take is not known; the guest stands still for ${vt(r)}.`,from:a}:{says:`about ${vt(n)}, of which the guest stands still for ${vt(r)}.`,from:a}}var kn={limit:`, the limit that is set`,network:`, as the network is declared`,"earlier-transfers":`, as the fastest of the last transfers between these hosts did`};function An(e,t,n=!1){return L`<label class="field"><span>Why <span class="soft small">optional; kept in the audit log</span></span><input
    type="text"
    maxlength="500"
    autocomplete="off"
    .value=${e}
    ?disabled=${n}
    @input=${e=>t(e.target.value)}
  /></label>`}var jn=class extends G{static{this.properties={domain:{attribute:!1},to:{type:String},plan:{state:!0},problem:{state:!0},sending:{state:!0}}}static{this.styles=[G.styles,wn,f`
      :host {
        display: contents;
        color-scheme: inherit;
      }
      .tile {
        border: 1px solid var(--line);
        border-radius: var(--r-m);
        padding: 10px 12px;
      }
      .two {
        display: grid;
        grid-template-columns: 1fr 1fr;
        gap: 12px;
      }
      fieldset,
      summary + dl {
        border: 0;
        margin: 10px 0 0;
        padding: 0;
        display: grid;
        gap: 10px;
      }
      input,
      select {
        width: 100%;
      }
      .from {
        white-space: nowrap;
      }
    `]}constructor(){super(),this.abort=new AbortController,this.round=0,this.why=``,this.options={},this.key=Mn(),this.close=()=>this.renderRoot.querySelector(`waypost-dialog`)?.close(),this.plan=null,this.problem=null,this.sending=!1}served(){this.look()}disconnectedCallback(){super.disconnectedCallback(),this.abort.abort()}get task(){return{domain:this.domain.id,from:this.domain.host,to:this.to,options:this.options}}async look(){let t=this.round+=1;this.problem=null;try{let e=await this.client.dryRun(this.task,this.abort.signal);t===this.round&&(this.plan=e)}catch(n){if(this.abort.signal.aborted||t!==this.round)return;this.plan=null,this.problem={attempted:`It could not be found out what would be done`,problem:e.of(n)}}}async send(){this.sending=!0,this.problem=null;let t=null;try{t=await this.client.create(this.task,this.key,this.why)}catch(t){let n=e.of(t);this.problem={attempted:`The migration was not begun`,problem:n},n.unsettled?this.problem.attempted=`It is not known whether the migration was begun`:this.key=Mn()}this.sending=!1,t&&(this.live.take(t),await this.updateComplete,this.renderRoot.querySelector(`waypost-dialog`)?.close(),this.tell(`waypost-created`,{task:t.id}))}set(e,t){this.options={...this.options,...e},t!==void 0&&!Number(t)&&delete this.options[Object.keys(e)[0]],this.key=Mn(),this.look()}render(){let e=this.plan?.check.verdicts.find(e=>e.destination===this.to),t=e&&Sn(e),n=!(!t||t.refused||!this.plan?.plan||this.plan.plan_error);return L`<waypost-dialog .heading=${`${t?.refused?`Can’t move`:`Move`} ${this.domain.name} to ${this.to}`} .busy=${this.sending} @done=${()=>this.dispatchEvent(new Event(`done`))}>
      <div class="stack">
        ${this.problem?en(this.problem.problem,this.problem.attempted,()=>void(n?this.send():this.look())):z}
        ${e&&t?L`<div class="callout ${t.tone}" role="status">
                  ${H(t.icon)}
                  <strong>${t.refused?`The rules refuse it`:`The rules allow it`}${t.why?L`: ${t.why}`:z}</strong>
                </div>
                ${n?this.expected(this.plan):z} ${Cn(e)}
                ${this.plan?.touched?L`<p class="small soft">Nothing was touched${this.plan.touched}.</p>`:z}`:this.problem?z:nn(4)}
        ${this.plan?.plan_error&&!t?.refused?L`<p class="toned bad">${this.plan.plan_error}</p>`:z}
        ${n?L`${this.choices()}${An(this.why,e=>this.why=e,this.sending)}`:z}
      </div>
      <button slot="actions" ?disabled=${this.sending} @click=${this.close}>${t?.refused?`Close`:`Leave it`}</button>
      ${t?.refused?L`<button slot="actions" @click=${()=>void this.look()}>${H(`again`)}Check again</button>`:L`<button slot="actions" class="primary" ?disabled=${!n||this.sending} @click=${()=>void this.send()}>
              ${H(`arrow`)}${this.sending?`Beginning…`:`Move to ${this.to}`}
            </button>`}
    </waypost-dialog>`}expected(e){let{says:t,from:n,endless:r}=En(e);return e.plan?.mode!==`live`&&!e.prediction&&!e.writing?z:L`<div class="tile small" role="group" aria-label="Expected">
      <span class="soft">Expected:</span>
      <strong class=${r?`toned warn`:``}>${t}</strong>
      ${n?L`<span class="soft">${n}</span>`:z}
    </div>`}choices(){let{choices:e,plan:t}=this.plan,{stream:n,priority:r}=this.options,i=t?.mode===`live`;return L`
      <details class="tile small">
        <summary><strong>Choices</strong> <span class="soft">limits, post-copy, priority</span></summary>
        <fieldset class="stack">
          <legend class="hidden">Choices</legend>
          <div class="two">
            <label class="field">Most downtime, ms<input type="number" min="1" max="2000000" placeholder="default"
              .value=${String(this.options.max_downtime_ms??``)}
              @change=${e=>{let{value:t}=e.target;this.set({max_downtime_ms:Number(t)},t)}} /></label>
            <label class="field">Bandwidth, MiB/s<input type="number" min="1" placeholder="no limit"
              .value=${String(this.options.bandwidth_mib_s??``)}
              @change=${e=>{let{value:t}=e.target;this.set({bandwidth_mib_s:Number(t)},t)}} /></label>
            <label class="field">Priority<select
              @change=${e=>this.set({priority:e.target.value})}>
              ${[`low`,`normal`,`high`].map(e=>L`<option value=${e} ?selected=${e===(r??`normal`)}>${e}</option>`)}
            </select></label>
          </div>
          ${i?L`<label class="tick"><input type="checkbox" .checked=${!!n?.post_copy}
                    @change=${e=>this.set({stream:{...n,post_copy:e.target.checked}})} />
                    <span>Allow post-copy<br /><span class="soft">Ends every transfer, but the guest is lost if the way breaks
                    in the middle of it.</span></span></label>
                  <label class="tick"><input type="checkbox" .checked=${!!n?.auto_converge}
                    @change=${e=>this.set({stream:{...n,auto_converge:e.target.checked}})} />
                    <span>Slow the guest down while it dirties too fast</span></label>`:z}
        </fieldset>
      </details>
      ${e.length?L`<details class="tile small">
              <summary><strong>Plan</strong> <span class="soft">every choice, and where it comes from</span></summary>
              <dl class="facts">
                ${e.map(e=>L`<dt>${e.choice.replaceAll(`-`,` `)}</dt>
                    <dd>${e.words} <span class="tiny soft from">(${e.from.replaceAll(`-`,` `)})</span></dd>`)}
              </dl>
            </details>`:z}
    `}};function Mn(){return Array.from(crypto.getRandomValues(new Uint8Array(16)),e=>e.toString(16).padStart(2,`0`)).join(``)}customElements.define(`waypost-move`,jn);var Nn=f`
  .board {
    display: grid;
    gap: 12px;
  }
  .tools {
    min-height: 32px;
  }
  .hosts {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(min(100%, 275px), 1fr));
    gap: 12px;
    align-items: stretch;
  }
  .filling {
    min-height: 90vh;
    align-content: start;
  }
  .filling .card {
    padding: 14px;
  }
  .card {
    position: relative;
    display: flex;
    flex-direction: column;
    min-height: 232px;
    overflow: hidden;
  }
  .body {
    position: relative;
    flex: 1;
    display: flex;
    flex-direction: column;
    padding-bottom: 6px;
    border-radius: 0 0 var(--r-m) var(--r-m);
  }
  .list {
    display: flex;
    flex-direction: column;
  }
  .load {
    --tone: light-dark(#7c8a9b, #8b98a8);
  }
  .load.high {
    --tone: light-dark(#cf8a12, #e0a03a);
  }
  .load.full {
    --tone: light-dark(#cf3e33, #ef6a5f);
  }
  .figures {
    display: flex;
    flex-wrap: wrap;
    justify-content: space-between;
    gap: 0 10px;
    white-space: nowrap;
  }
  .card header {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 7px;
    padding: 12px 14px 10px;
    border-bottom: 1px solid var(--line);
  }
  /* As high with a badge as without. */
  .card header > .row {
    min-height: 24px;
  }
  .card h3 {
    flex-wrap: nowrap;
    align-items: baseline;
  }
  .card h3 svg {
    color: var(--soft);
  }
  .error {
    color: var(--bad);
    overflow-wrap: anywhere;
  }
  .domains {
    padding: 4px 4px 0;
  }
  .none {
    padding: 10px 14px;
  }
  .whole {
    margin: 2px 8px 0;
    align-self: start;
  }
  .domain {
    position: relative;
    display: grid;
    --grip: 10px;
    grid-template-columns: var(--grip) 8px minmax(0, 1fr) auto auto;
    gap: 7px;
    align-items: center;
    min-height: 32px;
    padding: 1px 4px 1px 2px;
    border-radius: var(--r-s);
  }
  /* However long its destination is called, a name keeps enough to be known by. */
  .domain:has(.to) {
    grid-template-columns: var(--grip) 8px minmax(36%, 1fr) minmax(0, max-content);
  }
  .domain[draggable="true"] {
    cursor: grab;
  }
  .domain[draggable="true"]:hover {
    background: var(--hover);
  }
  .domain.picked {
    background: var(--accent-tint);
    box-shadow: inset 0 0 0 1px var(--accent);
  }
  .grip {
    color: var(--soft);
    opacity: 0;
    line-height: 1;
  }
  .domain:hover .grip,
  .domain:focus-within .grip {
    opacity: 0.8;
  }
  .dot {
    width: 8px;
    height: 8px;
    border-radius: 50%;
    background: var(--tone);
  }
  .dot.idle {
    background: transparent;
    box-shadow: inset 0 0 0 2px var(--tone);
  }
  .dot.hollow {
    background: transparent;
    box-shadow: inset 0 0 0 2px var(--tone);
  }
  .name {
    font-size: var(--t-s);
    font-weight: 550;
  }
  .coming .name {
    font-style: italic;
    font-weight: 450;
  }
  .domain .move {
    min-height: 26px;
    padding: 0 9px;
    grid-column: 5;
    font-size: var(--t-s);
    font-weight: 500;
  }
  .domain:hover .move,
  .domain .move:focus-visible {
    color: var(--accent);
    border-color: var(--accent);
  }
  .domain .state {
    grid-column: 4;
  }
  .domain .to {
    min-width: 0;
    gap: 6px;
    padding-inline-end: 8px;
    text-decoration: none;
    color: inherit;
    flex-wrap: nowrap;
    white-space: nowrap;
  }
  .domain .to > .number {
    flex: none;
  }
  .domain a.to:hover {
    text-decoration: underline;
  }
  .thin {
    position: absolute;
    inset: auto 12px 0 34px;
  }
  .thin .bar {
    height: 3px;
    box-shadow: none;
  }
  .target {
    position: absolute;
    inset: 0;
    display: flex;
    flex-direction: column;
    align-items: stretch;
    justify-content: flex-start;
    gap: 6px;
    padding: 10px 14px 12px;
    border: 2px dashed var(--tone);
    border-radius: inherit;
    background: color-mix(in srgb, var(--surface), var(--tint) 62%);
    color: var(--text);
    font-size: var(--t-s);
    font-weight: 400;
    white-space: normal;
    text-align: start;
    overflow: auto;
    scrollbar-width: thin;
  }
  .target:hover,
  .target.open,
  .target:focus-visible {
    border-style: solid;
    background: var(--tint);
  }
  .target:focus-visible {
    box-shadow: inset 0 0 0 2px var(--accent);
    border-radius: inherit;
  }
  .target .verdict {
    color: var(--tone);
    font-size: var(--t-m);
    pointer-events: none;
  }
  .target .why {
    display: grid;
    gap: 5px;
    pointer-events: none;
    overflow-wrap: anywhere;
  }
  .target .line + .line {
    padding-top: 5px;
    border-top: 1px solid color-mix(in srgb, var(--tone) 25%, transparent);
  }
  /* Not by its opacity: what is there can still be read. */
  .picking .domain:not(.picked) {
    color: var(--soft);
  }
  .picking .domain:not(.picked) :is(svg, .dot) {
    opacity: 0.45;
  }
  /* It can't be used meanwhile. */
  .picking .domain:not(.picked) .move {
    visibility: hidden;
  }
  .banner {
    position: sticky;
    bottom: var(--waypost-bottom, 12px);
    z-index: 2;
    display: flex;
    align-items: center;
    justify-content: space-between;
    gap: 12px;
    padding: 10px 14px;
    border-radius: var(--r-m);
    background: var(--raised);
    border: 1px solid var(--accent);
    box-shadow: 0 8px 28px rgb(8 15 25 / 18%);
  }
  kbd {
    font-family: var(--mono);
    font-size: var(--t-xs);
    border: 1px solid var(--line);
    border-radius: 4px;
    padding: 0 4px;
  }
  @media (hover: none) {
    .grip {
      visibility: hidden;
    }
    .domain {
      --grip: 2px;
      min-height: 44px;
    }
    .domain .move {
      min-height: 40px;
    }
  }
`,Pn=1e4,Fn=e=>e<=8?8:e<=16?6:4,In=class extends G{static{this.properties={readonly:{type:Boolean},link:{type:String},sought:{state:!0},whole:{state:!0},picked:{state:!0},over:{state:!0},moving:{state:!0}}}static{this.styles=[G.styles,wn,Nn]}constructor(){super(),this.hosts=new K(this,async()=>(await this.client.hosts()).hosts,Pn),this.domains=new K(this,()=>this.client.domains(),Pn),this.unfinished=new Set,this.origin=null,this.giveUp=async()=>{this.leave(),await this.updateComplete,this.origin?.focus()},this.readonly=!1,this.sought=``,this.whole=new Set,this.picked=null,this.over=null,this.moving=null}get follows(){return!0}served(){this.hosts.reset(),this.domains.reset(),this.reload()}back(){this.reload()}reload(){this.hosts.reload(),this.domains.reload()}disconnectedCallback(){super.disconnectedCallback(),this.leave()}heard(){super.heard();let e=new Set([...this.live.tasks.values()].filter(e=>!e.ended).map(e=>e.id)),t=[...this.unfinished].some(t=>!e.has(t));this.unfinished=e,t&&this.reload()}pick(t,n){this.leave();let r={domain:t,dragged:n,check:null,problem:null,abort:new AbortController};this.picked=r,this.client.check(t.id,t.host,r.abort.signal).then(e=>this.judged(r,{check:e})).catch(t=>this.judged(r,{problem:e.of(t)}))}judged(e,t){this.picked?.abort===e.abort&&(this.picked={...this.picked,...t})}async byHand(e,t){this.origin=e.currentTarget,this.pick(t,!1),await this.updateComplete,this.renderRoot.querySelector(`button.target`)?.focus()}leave(){this.picked?.abort.abort(),this.picked=null,this.over=null}choose(e){let t=this.picked;t&&(this.leave(),this.moving={domain:t.domain,to:e})}verdict(e){return this.picked?.check?.verdicts.find(t=>t.destination===e)??null}render(){let e=this.hosts.value,t=this.domains.value,n=this.hosts.problem??this.domains.problem,r=e&&(t||this.domains.problem)&&(this.live.listed||this.live.link.state!==`connecting`);return L`<div
      class=${cn({board:!0,picking:this.picked!==null})}
      @keydown=${e=>{e.key===`Escape`&&this.picked&&this.giveUp()}}
    >
      ${this.linkNote()}
      ${n&&this.live.link.state!==`lost`?this.problemNote(n,`The hosts could not be read`,()=>this.reload()):z}
      <div class="row spread tools">
        <input type="search" aria-label="Find a domain" placeholder="Find a domain" .value=${this.sought}
          @input=${e=>this.sought=e.target.value} />
        <span class="soft small">${e&&t?`${bt(e.length,`host`)}, ${bt(t.domains.length,`domain`)}`:z}</span>
      </div>
      ${r?e.length?L`<div class="hosts">${yn(this.inOrder(e,t),e=>e.name,e=>this.host(e,t))}</div>`:tn(`host`,`No hosts`,`The configuration of the service names none.`):n?z:L`<div class="hosts filling">${[1,2,3].map(()=>L`<div class="card panel">${nn(5)}</div>`)}</div>`}
      ${this.banner()}
      ${this.moving?L`<waypost-move .domain=${this.moving.domain} .to=${this.moving.to} .base=${this.base} .token=${this.token}
              @done=${()=>this.moved()} @waypost-created=${()=>this.reload()}></waypost-move>`:z}
    </div>`}inOrder(e,t){if(!this.sought.trim()||!t)return e;let n=new Set(t.domains.filter(e=>this.fits(e)).map(e=>e.host));return[...e.filter(e=>n.has(e.name)),...e.filter(e=>!n.has(e.name))]}fits(e){let t=this.sought.trim().toLowerCase();return!t||e.name.toLowerCase().includes(t)||e.id===t}moved(){this.moving=null,this.origin?.focus(),this.origin=null}banner(){let e=this.picked,t=e&&this.says(e);return L`<span class="hidden" role="status">${e?`${e.domain.name}: ${t}`:``}</span>
      ${e?L`<div class="banner">
              <span class="break"><strong>${e.domain.name}</strong> from ${e.domain.host}: ${t}</span>
              ${e.dragged?z:L`<button @click=${this.giveUp}>Leave it <kbd>Esc</kbd></button>`}
            </div>`:z}`}says({check:e,problem:t}){if(t)return`what the rules say could not be found out (${t.message})`;if(!e)return`the rules are being asked…`;let n=e.verdicts.filter(e=>!Sn(e).refused).length;return n?`choose a host; ${n} of ${e.verdicts.length} may take it`:`no host may take it; each says why`}host(e,t){let n=e.error??t?.unread.find(t=>t.name===e.name)?.error??null,r=(t?.domains??[]).filter(t=>t.host===e.name),i=[...this.live.tasks.values()].filter(t=>!t.ended&&t.destination===e.name&&!r.some(e=>e.id===t.domainId));return L`<section
      class=${cn({card:!0,panel:!0,over:this.over===e.name})}
      aria-label=${`Host ${e.name}`}
    >
      <header>
        <div class="row spread">
          <h3 class="row">${H(`host`)}<span class="break">${e.name}</span></h3>
          ${this.picked?.domain.host===e.name?L`<span class="badge idle">It is here</span>`:n?L`<span class="badge bad">${H(`unlinked`)}Not reached</span>`:L`<span class="tiny soft">${zn(e)}</span>`}
        </div>
        ${n?L`<p class="tiny error">${n}</p>`:Bn(e)}
      </header>
      <div class="body">
        <div class="list" ?inert=${this.picked!==null&&!this.picked.dragged}>${this.list(e,r,i,n!==null)}</div>
        ${this.target(e)}
      </div>
    </section>`}list(e,t,n,r){let i=this.sought.trim()!==``,a=t.filter(e=>this.fits(e)),o=Fn(this.hosts.value?.length??0),s=this.whole.has(e.name)||a.length<=o+1,c=s?a:a.slice(0,o);return L`<ul class="domains" aria-label=${`Domains on ${e.name}`}>
        ${yn(n,e=>e.id,e=>this.arriving(e))}
        ${yn(c,e=>e.id,e=>this.domain(e))}
      </ul>
      ${!t.length&&!n.length?L`<p class="none tiny soft">${r?`Its domains are not known.`:this.domains.value?`No domains`:`…`}</p>`:i&&!a.length&&!n.length?L`<p class="none tiny soft">None of its ${bt(t.length,`domain`)} fits.</p>`:z}
      ${a.length>o+1?L`<button class="quiet whole" aria-expanded=${s} @click=${()=>this.fold(e.name,s)}>
              ${s?`Show fewer`:`Show all ${a.length}`}
            </button>`:z}`}fold(e,t){let n=new Set(this.whole);t?n.delete(e):n.add(e),this.whole=n}domain(e){let t=this.live.of(e.id),n=!this.readonly&&!t&&this.permits(`move`);return L`<li
      class=${cn({domain:!0,picked:this.picked?.domain.id===e.id})}
      draggable=${n?`true`:`false`}
      @dragstart=${t=>this.drag(t,e)}
      @dragend=${()=>this.picked?.dragged&&this.leave()}
    >
      <span class="grip">${n?H(`grip`):z}</span>
      <span class="dot ${Vt(e.state)}"></span>
      <span class="name ellipsis" title=${e.name}>${e.name}</span>
      ${t?this.leaving(t):L`<span class="tiny soft state">${Ln(e)?L`<span class="hidden">running</span>`:Rn(e)}</span>
              ${n?L`<button class="move" aria-label=${`Move ${e.name}`} @click=${t=>void this.byHand(t,e)}>Move</button>`:z}`}
    </li>`}drag(e,t){e.dataTransfer&&(e.dataTransfer.effectAllowed=`move`,e.dataTransfer.setData(`text/plain`,t.name),this.origin=null,setTimeout(()=>this.pick(t,!0)))}leaving(e){let t=We(e),n=Pt(t),r=L`<span class="tiny ellipsis toned ${n.tone}" title=${`${n.label}, to ${e.destination}`}
        ><span class=${t===`moving`?`hidden`:``}>${n.label}</span> ${H(`arrow`)} ${e.destination}</span>
      <span class="tiny number">${e.queued?this.place(e):yt(e.progress)}</span>`;return L`${this.open(e,r)}
      <span class="thin">${$t(e.progress,n.tone,`Progress of ${e.domain}`)}</span>`}place(e){return Ft(e.place,ut(this.live.who)?this.live.waiting:null)}arriving(e){return L`<li class="domain coming">
      <span class="grip"></span>
      <span class="dot ${Pt(We(e)).tone} hollow"></span>
      <span class="name ellipsis" title=${e.domain}>${e.domain}</span>
      ${this.open(e,L`<span class="tiny soft ellipsis" title=${e.source??``}>comes from ${e.source??`…`}</span>`)}
    </li>`}open(e,t){return this.link?L`<a class="to row" href=${this.link.replace(`{id}`,encodeURIComponent(e.id))} @click=${t=>{this.tell(`waypost-open`,{task:e.id})||t.preventDefault()}}>${t}</a>`:L`<span class="to row">${t}</span>`}target(e){let t=this.picked;if(!t||t.domain.host===e.name)return z;let n=this.verdict(e.name),r=n&&Sn(n),i=this.over===e.name;return L`<button
      class=${cn({target:!0,[r?.tone??`idle`]:!0,open:i})}
      @click=${()=>this.choose(e.name)}
      @dragenter=${()=>this.over=e.name}
      @dragleave=${t=>this.dragLeft(t,e.name)}
      @dragover=${e=>{e.dataTransfer&&(e.dataTransfer.dropEffect=r?.refused?`none`:`move`),r?.refused||e.preventDefault()}}
      @drop=${t=>{t.preventDefault(),this.choose(e.name)}}
    >
      <span class="row verdict"
        ><span class="hidden">Move ${t.domain.name} to ${e.name}:</span>
        ${r?L`${H(r.icon)}<strong>${r.word}</strong>${r.why?L`<span class="small">${r.why}</span>`:z}`:L`<span class="soft">${t.problem?`not known`:`the rules are being asked…`}</span>`}</span
      >
      <span class="why">${n?this.why(n):z}</span>
    </button>`}dragLeft(e,t){let n=e.relatedTarget;this.over===t&&!e.currentTarget.contains(n)&&(this.over=null)}why(e){return L`${xn(e).filter(e=>e.weight!==`info`).map(e=>L`<span class="line">${e.message}</span>`)}
      ${e.plan_error?L`<span class="line">${e.plan_error}</span>`:z}`}},Ln=e=>e.state===`running`&&e.persistent,Rn=e=>[e.state===`running`?null:Kt(e.state),e.persistent?null:`transient`].filter(Boolean).join(`, `);function zn(e){return[[e.hypervisor,e.hypervisor_version].filter(Boolean).join(` `),e.libvirt_version&&`libvirt ${e.libvirt_version}`].filter(Boolean).join(` · `)}function Bn(e){let t=e.memory_kib??0,n=Math.max(0,t-(e.free_memory_kib??t)),r=`${gt(n*1024)} of ${gt(t*1024)}`;return L`${Vn(`Memory of ${e.name}`,t?n/t:0,`${r} used`)}
    <p class="tiny soft figures">
      <span>${r}</span>
      <span>${e.active_domains??0} of ${e.domains??0} active</span>
    </p>
    ${e.cpu_busy_permille==null?z:Vn(`CPUs of ${e.name}`,e.cpu_busy_permille/1e3,`${yt(e.cpu_busy_permille/10)} busy`)}
    <p class="tiny soft figures">
      <span title="Promised to its domains, of those that it has">${e.vcpus==null?``:`${e.vcpus} vCPUs on `}${e.cpus??`?`} CPUs</span>
      ${e.cpu_busy_permille==null?z:L`<span>${yt(e.cpu_busy_permille/10)} busy</span>`}
      ${e.outgoing&&e.incoming?L`<span title="Migrations at once, of those that may">out ${e.outgoing.used}/${e.outgoing.limit}, in ${e.incoming.used}/${e.incoming.limit}</span>`:z}
    </p>`}function Vn(e,t,n){return L`<div
    class="bar load ${t>.92?`full`:t>.8?`high`:``}"
    role="meter"
    aria-label=${e}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${Math.round(t*100)}
    aria-valuetext=${n}
  >
    <i ${qt(t)}></i>
  </div>`}customElements.define(`waypost-hosts`,In);var Hn=e=>e.then(()=>null),Un=e=>({label:`Cancel`,icon:`stop`,grave:!0,leave:`Go on`,says:Wn(e),run:(e,t,{why:n})=>Hn(e.cancel(t,n))});function Wn(e){let t=e.source??`its host`;if(e.queued)return`It leaves the queue. Nothing was touched yet, and the domain stays on ${t}.`;switch(e.phase){case`performing`:return`libvirt is asked to abort the transfer, then both hosts are looked at. It may be too late; the outcome says where the domain is.`;case`finishing`:return`The transfer is over, so it may be too late. The outcome says where the domain is.`;case`locating`:case`recovering`:return`It is being found out where the domain is, so it may be too late. The outcome says it.`;default:return`No transfer has begun. What was made ready is undone, and the domain stays on ${t}.`}}var Gn={label:`More downtime`,icon:`clock`,says:`The guest may stand still for so long at the switch-over. A longer time lets a busy guest arrive.`,number:{label:`Downtime, ms`,most:2e6},run:(e,t,{number:n,why:r})=>Hn(e.steer(t,{max_downtime_ms:n},r))},Kn={label:`Bandwidth`,icon:`gauge`,says:`The transfer takes at most so much from now on.`,number:{label:`Bandwidth, MiB/s`,most:4294967295},run:(e,t,{number:n,why:r})=>Hn(e.steer(t,{bandwidth_mib_s:n},r))},qn=e=>({label:`Slow the guest`,icon:`down`,says:`From QEMU’s next step on the guest’s processors are slowed down so far and no further, so that it writes less. libvirt notes on the domain that QEMU’s monitor was used.`,number:{label:`Slowed down by at most, %`,least:e.leastThrottle??20,most:99},run:(e,t,{number:n,why:r})=>Hn(e.steer(t,{throttle_percent:n},r))}),Jn={label:`Post-copy`,icon:`bolt`,grave:!0,says:`The guest goes on running on the destination as soon as some of its memory has travelled, and the rest follows.`,warns:`From then on the guest has its memory on both hosts: if the way between them breaks and can’t be mended, it is lost. It can’t be cancelled any more.`,run:(e,t,{why:n})=>Hn(e.steer(t,{post_copy:!0},n))},Yn={label:`Pause the guest`,icon:`pause`,grave:!0,says:`The guest stands still while the rest is copied, and runs on the destination afterwards.`,warns:`It does not answer for as long as the rest takes.`,run:(e,t,{why:n})=>Hn(e.steer(t,{suspend:!0},n))},Xn={label:`Try again`,icon:`again`,says:`The same is asked for again, as a new task: facts are read and rules are asked anew.`,run:async(e,t,{why:n})=>(await e.retry(t,n)).id};function Zn(e){if(e.ended)return[`refused`,`rolled-back`,`cancelled`].includes(e.ended)?[Xn]:[];let t=e.phase===`performing`,n=e.sample?.stage===`post-copy`,r=[`finishing`,`locating`,`recovering`].includes(e.phase),i=t?void 0:r?`The transfer is over.`:`There is no transfer yet.`,a=(e,t)=>t?{...e,barred:t}:e,o=n?`The guest runs on the destination already.`:i,s=e.cancelRequested?`It was asked for already.`:n?`In post-copy there is no way back.`:void 0;return[a(Gn,o),a(Kn,i),a(qn(e),o??$n(e)),a(Yn,o),a(Jn,o??Qn(e)),a(Un(e),s)]}function Qn(e){if(!e.mayPostCopy)return er(e)??`Post-copy was not allowed when the migration was asked for.`}function $n(e){if(e.leastThrottle===null)return e.sample?.stage===`disks`?`Its disks are being copied yet; the guest is slowed down for the memory.`:er(e)??`Auto-converge was not allowed when the migration was asked for, or the service does without changing it.`}function er(e){if(e.sample?.stage===`final`)return`The transfer is over.`;if(!e.sample||e.mayPostCopy===null)return`It is not known yet how far the transfer is.`}function tr(e,t){let{label:n,says:r}=Ut(e),i=e===`resume-post-copy`&&t.length>0;return{label:n,says:`${r} Both hosts are looked at again before it; it is recorded as yours.`,icon:`bolt`,grave:e.startsWith(`destroy`)||e===`declare-lost`,...i?{choice:{label:`Over the network`,of:t.map((e,t)=>({value:e,label:t?e:`${e} (the next in turn)`}))}}:{},run:(t,n,{choice:r,why:a})=>Hn(t.act(n,e,i?r:void 0,a))}}function nr(e){let{sample:t}=e,n=t?.stage===`final`,r=(e,t)=>e==null?null:t(e),i=t?.stage===`final`?[[`Downtime`,r(t.downtime_ms,vt)],[`Transfer took`,vt(t.elapsed_ms)],[`Moved`,gt(t.processed_bytes)],[`Average rate`,t.bytes_per_s?_t(t.bytes_per_s):null]]:[[`Remaining`,r(t?.remaining_bytes,gt)],...e.ended?[]:[[`Time left, about`,r(t?.remaining_ms,vt)]],[`Transfer rate`,r(t?.bytes_per_s,_t)],[`Dirty rate`,r(t?.dirty_bytes_per_s,_t)],[`Downtime, expected`,r(t&&Le(t),vt)],[`Pass`,r(t?.iteration,String)],[`Elapsed`,r(t?.elapsed_ms,vt)],...t?.throttle_percent?[[`Guest slowed by`,`${t.throttle_percent} %`]]:[]];return L`<section aria-label=${n?`What it came to`:`Last reading`}>
    ${e.ended&&!n?L`<h3>The last reading</h3>`:z}
    <dl class="figures">
      ${i.map(([e,t])=>L`<div><dt>${e}</dt><dd>${t??L`<span class="soft">–</span>`}</dd></div>`)}
    </dl>
  </section>`}function rr(e){return L`<div class="scroll" role="region" aria-label="Journal" tabindex="0">
    <table>
      <thead><tr><th scope="col">When</th><th scope="col">Record</th><th scope="col">What it holds</th></tr></thead>
      <tbody>
        ${e.map(e=>L`<tr>
            <td class="soft">${Qt(e.at)}</td>
            <td>${Kt(e.record)}</td>
            <td class="break">${ir(e.details)}</td>
          </tr>`)}
      </tbody>
    </table>
  </div>`}function ir(e){let t=Object.entries(e).filter(([,e])=>e!==null&&e!==``);if(!t.length)return z;let n=t.filter(([,e])=>typeof e!=`object`),r=t.some(([,e])=>typeof e==`object`);return L`${n.map(([e,t],n)=>L`${n?`, `:``}<span class="soft">${Kt(e.replaceAll(`_`,` `))}</span> ${String(t)}`)}
    ${r?L`<details class="tiny"><summary>All of it</summary><pre class="mono scroll" tabindex="0">${JSON.stringify(e,null,2)}</pre></details>`:z}`}var ar=!0,or=`uplot`,sr=`u-hz`,cr=`u-vt`,lr=`u-title`,ur=`u-wrap`,dr=`u-under`,fr=`u-over`,pr=`u-axis`,mr=`u-off`,hr=`u-select`,gr=`u-cursor-x`,_r=`u-cursor-y`,vr=`u-cursor-pt`,yr=`u-legend`,br=`u-live`,xr=`u-inline`,Sr=`u-series`,Cr=`u-marker`,wr=`u-label`,Tr=`u-value`,Er=`width`,Dr=`height`,Or=`top`,kr=`bottom`,Ar=`left`,jr=`right`,Mr=`#000`,Nr=`#0000`,Pr=`mousemove`,Fr=`mousedown`,Ir=`mouseup`,Lr=`mouseenter`,Rr=`mouseleave`,zr=`dblclick`,Br=`resize`,Vr=`scroll`,Hr=`change`,Ur=`dppxchange`,Wr=`--`,Gr=typeof window<`u`,Kr=Gr?document:null,qr=Gr?window:null,Jr=Gr?navigator:null,J,Yr;function Xr(){let e=devicePixelRatio;J!=e&&(J=e,Yr&&ui(Hr,Yr,Xr),Yr=matchMedia(`(min-resolution: ${J-.001}dppx) and (max-resolution: ${J+.001}dppx)`),li(Hr,Yr,Xr),qr.dispatchEvent(new CustomEvent(Ur)))}function Zr(e,t){if(t!=null){let n=e.classList;!n.contains(t)&&n.add(t)}}function Qr(e,t){let n=e.classList;n.contains(t)&&n.remove(t)}function Y(e,t,n){e.style[t]=n+`px`}function $r(e,t,n,r){let i=Kr.createElement(e);return t!=null&&Zr(i,t),n?.insertBefore(i,r),i}function ei(e,t){return $r(`div`,e,t)}var ti=new WeakMap;function ni(e,t,n,r,i){let a=`translate(`+t+`px,`+n+`px)`;a!=ti.get(e)&&(e.style.transform=a,ti.set(e,a),t<0||n<0||t>r||n>i?Zr(e,mr):Qr(e,mr))}var ri=new WeakMap;function ii(e,t,n){let r=t+n;r!=ri.get(e)&&(ri.set(e,r),e.style.background=t,e.style.borderColor=n)}var ai=new WeakMap;function oi(e,t,n,r){let i=t+``+n;i!=ai.get(e)&&(ai.set(e,i),e.style.height=n+`px`,e.style.width=t+`px`,e.style.marginLeft=r?-t/2+`px`:0,e.style.marginTop=r?-n/2+`px`:0)}var si={passive:!0},ci={...si,capture:!0};function li(e,t,n,r){t.addEventListener(e,n,r?ci:si)}function ui(e,t,n,r){t.removeEventListener(e,n,si)}Gr&&Xr();function di(e,t,n,r){let i;n||=0,r||=t.length-1;let a=r<=2147483647;for(;r-n>1;)i=a?n+r>>1:Mi((n+r)/2),t[i]<e?n=i:r=i;return e-t[n]<=t[r]-e?n:r}function fi(e){return(t,n,r)=>{let i=-1,a=-1;for(let a=n;a<=r;a++)if(e(t[a])){i=a;break}for(let i=r;i>=n;i--)if(e(t[i])){a=i;break}return[i,a]}}var pi=e=>e!=null,mi=e=>e!=null&&e>0,hi=fi(pi),gi=fi(mi);function _i(e,t,n,r=0,i=!1){let a=i?gi:hi,o=i?mi:pi;[t,n]=a(e,t,n);let s=e[t],c=e[t];if(t>-1){if(r==1)s=e[t],c=e[n];else if(r==-1)s=e[n],c=e[t];else for(let r=t;r<=n;r++){let t=e[r];o(t)&&(t<s?s=t:t>c&&(c=t))}}return[s??Ui,c??-Ui]}function vi(e,t,n,r){let i=Ri(e),a=Ri(t);e==t&&(i==-1?(e*=n,t/=n):(e/=n,t*=n));let o=n==10?zi:Bi,s=i==1?Mi:Pi,c=a==1?Pi:Mi,l=s(o(ji(e))),u=c(o(ji(t))),d=Li(n,l),f=Li(n,u);return n==10&&(l<0&&(d=Q(d,-l)),u<0&&(f=Q(f,-u))),r||n==2?(e=d*i,t=f*a):(e=ra(e,d),t=na(t,f)),[e,t]}function yi(e,t,n,r){let i=vi(e,t,n,r);return e==0&&(i[0]=0),t==0&&(i[1]=0),i}var bi=.1,xi={mode:3,pad:bi},Si={pad:0,soft:null,mode:0},Ci={min:Si,max:Si};function wi(e,t,n,r){return ma(n)?Ei(e,t,n):(Si.pad=n,Si.soft=r?0:null,Si.mode=r?3:0,Ei(e,t,Ci))}function X(e,t){return e??t}function Ti(e,t,n){for(t=X(t,0),n=X(n,e.length-1);t<=n;){if(e[t]!=null)return!0;t++}return!1}function Ei(e,t,n){let r=n.min,i=n.max,a=X(r.pad,0),o=X(i.pad,0),s=X(r.hard,-Ui),c=X(i.hard,Ui),l=X(r.soft,Ui),u=X(i.soft,-Ui),d=X(r.mode,0),f=X(i.mode,0),p=t-e,m=zi(p),h=Ii(ji(e),ji(t)),g=ji(zi(h)-m);(p<1e-24||g>10)&&(p=0,(e==0||t==0)&&(p=1e-24,d==2&&l!=Ui&&(a=0),f==2&&u!=-Ui&&(o=0)));let _=p||h||1e3,v=Li(10,Mi(zi(_))),y=Q(ra(e-_*(p==0?e==0?.1:1:a),v/10),24),b=e>=l&&(d==1||d==3&&y<=l||d==2&&y>=l)?l:Ui,x=Ii(s,y<b&&e>=b?b:Fi(b,y)),S=Q(na(t+_*(p==0?t==0?.1:1:o),v/10),24),C=t<=u&&(f==1||f==3&&S>=u||f==2&&S<=u)?u:-Ui,w=Fi(c,S>C&&t<=C?C:Ii(C,S));return x==w&&x==0&&(w=100),[x,w]}var Di=new Intl.NumberFormat(Gr?Jr.language:`en-US`),Oi=e=>Di.format(e),ki=Math,Ai=ki.PI,ji=ki.abs,Mi=ki.floor,Ni=ki.round,Pi=ki.ceil,Fi=ki.min,Ii=ki.max,Li=ki.pow,Ri=ki.sign,zi=ki.log10,Bi=ki.log2,Vi=(e,t=1)=>ki.sinh(e)*t,Hi=(e,t=1)=>ki.asinh(e/t),Ui=1/0;function Wi(e){return(zi((e^e>>31)-(e>>31))|0)+1}function Gi(e,t,n){return Fi(Ii(e,t),n)}function Ki(e){return typeof e==`function`}function Z(e){return Ki(e)?e:()=>e}var qi=()=>{},Ji=e=>e,Yi=(e,t)=>t,Xi=e=>null,Zi=e=>!0,Qi=(e,t)=>e==t,$i=/\.\d*?(?=9{6,}|0{6,})/gm,ea=e=>{if(da(e)||ia.has(e))return e;let t=`${e}`,n=t.match($i);if(n==null)return e;let r=n[0].length-1;if(t.indexOf(`e-`)!=-1){let[e,n]=t.split(`e`);return+`${ea(e)}e${n}`}return Q(e,r)};function ta(e,t){return ea(Q(ea(e/t))*t)}function na(e,t){return ea(Pi(ea(e/t))*t)}function ra(e,t){return ea(Mi(ea(e/t))*t)}function Q(e,t=0){if(da(e))return e;let n=10**t;return Ni(e*n*(1+2**-52))/n}var ia=new Map;function aa(e){return((``+e).split(`.`)[1]||``).length}function oa(e,t,n,r){let i=[],a=r.map(aa);for(let o=t;o<n;o++){let t=ji(o),n=Q(Li(e,o),t);for(let s=0;s<r.length;s++){let c=e==10?+`${r[s]}e${o}`:r[s]*n,l=(o>=0?0:t)+(o>=a[s]?0:a[s]),u=e==10?c:Q(c,l);i.push(u),ia.set(u,l)}}return i}var sa={},ca=[],la=[null,null],ua=Array.isArray,da=Number.isInteger,fa=e=>e===void 0;function pa(e){return typeof e==`string`}function ma(e){let t=!1;if(e!=null){let n=e.constructor;t=n==null||n==Object}return t}function ha(e){return typeof e==`object`&&!!e}var ga=Object.getPrototypeOf(Uint8Array),_a=`__proto__`;function va(e,t=ma){let n;if(ua(e)){let r=e.find(e=>e!=null);if(ua(r)||t(r)){n=Array(e.length);for(let r=0;r<e.length;r++)n[r]=va(e[r],t)}else n=e.slice()}else if(e instanceof ga)n=e.slice();else if(t(e)){n={};for(let r in e)r!=_a&&(n[r]=va(e[r],t))}else n=e;return n}function ya(e){let t=arguments;for(let n=1;n<t.length;n++){let r=t[n];for(let t in r)t!=_a&&(ma(e[t])?ya(e[t],va(r[t])):e[t]=va(r[t]))}return e}var ba=0,xa=1,Sa=2;function Ca(e,t,n){for(let r=0,i,a=-1;r<t.length;r++){let o=t[r];if(o>a){for(i=o-1;i>=0&&e[i]==null;)e[i--]=null;for(i=o+1;i<n&&e[i]==null;)e[a=i++]=null}}}function wa(e,t){if(Da(e)){let t=e[0].slice();for(let n=1;n<e.length;n++)t.push(...e[n].slice(1));return Oa(t[0])||(t=Ea(t)),t}let n=new Set;for(let t=0;t<e.length;t++){let r=e[t][0],i=r.length;for(let e=0;e<i;e++)n.add(r[e])}let r=[Array.from(n).sort((e,t)=>e-t)],i=r[0].length,a=new Map;for(let e=0;e<i;e++)a.set(r[0][e],e);for(let n=0;n<e.length;n++){let o=e[n],s=o[0];for(let e=1;e<o.length;e++){let c=o[e],l=Array(i).fill(void 0),u=t?t[n][e]:xa,d=[];for(let e=0;e<c.length;e++){let t=c[e],n=a.get(s[e]);t===null?u!=ba&&(l[n]=t,u==Sa&&d.push(n)):l[n]=t}Ca(l,d,i),r.push(l)}}return r}var Ta=typeof queueMicrotask>`u`?e=>Promise.resolve().then(e):queueMicrotask;function Ea(e){let t=e[0],n=t.length,r=Array(n);for(let e=0;e<r.length;e++)r[e]=e;r.sort((e,n)=>t[e]-t[n]);let i=[];for(let t=0;t<e.length;t++){let a=e[t],o=Array(n);for(let e=0;e<n;e++)o[e]=a[r[e]];i.push(o)}return i}function Da(e){let t=e[0][0],n=t.length;for(let r=1;r<e.length;r++){let i=e[r][0];if(i.length!=n)return!1;if(i!=t){for(let e=0;e<n;e++)if(i[e]!=t[e])return!1}}return!0}function Oa(e,t=100){let n=e.length;if(n<=1)return!0;let r=0,i=n-1;for(;r<=i&&e[r]==null;)r++;for(;i>=r&&e[i]==null;)i--;if(i<=r)return!0;let a=Ii(1,Mi((i-r+1)/t));for(let t=e[r],n=r+a;n<=i;n+=a){let r=e[n];if(r!=null){if(r<=t)return!1;t=r}}return!0}var ka=[`January`,`February`,`March`,`April`,`May`,`June`,`July`,`August`,`September`,`October`,`November`,`December`],Aa=[`Sunday`,`Monday`,`Tuesday`,`Wednesday`,`Thursday`,`Friday`,`Saturday`];function ja(e){return e.slice(0,3)}var Ma=Aa.map(ja),Na={MMMM:ka,MMM:ka.map(ja),WWWW:Aa,WWW:Ma};function Pa(e){return(e<10?`0`:``)+e}function Fa(e){return(e<10?`00`:e<100?`0`:``)+e}var Ia={YYYY:e=>e.getFullYear(),YY:e=>(e.getFullYear()+``).slice(2),MMMM:(e,t)=>t.MMMM[e.getMonth()],MMM:(e,t)=>t.MMM[e.getMonth()],MM:e=>Pa(e.getMonth()+1),M:e=>e.getMonth()+1,DD:e=>Pa(e.getDate()),D:e=>e.getDate(),WWWW:(e,t)=>t.WWWW[e.getDay()],WWW:(e,t)=>t.WWW[e.getDay()],HH:e=>Pa(e.getHours()),H:e=>e.getHours(),h:e=>{let t=e.getHours();return t==0?12:t>12?t-12:t},AA:e=>e.getHours()>=12?`PM`:`AM`,aa:e=>e.getHours()>=12?`pm`:`am`,a:e=>e.getHours()>=12?`p`:`a`,mm:e=>Pa(e.getMinutes()),m:e=>e.getMinutes(),ss:e=>Pa(e.getSeconds()),s:e=>e.getSeconds(),fff:e=>Fa(e.getMilliseconds())};function La(e,t){t||=Na;let n=[],r=/\{([a-z]+)\}|[^{]+/gi,i;for(;i=r.exec(e);)n.push(i[0][0]==`{`?Ia[i[1]]:i[0]);return e=>{let r=``;for(let i=0;i<n.length;i++)r+=typeof n[i]==`string`?n[i]:n[i](e,t);return r}}var Ra=new Intl.DateTimeFormat().resolvedOptions().timeZone;function za(e,t){let n;return t==`UTC`||t==`Etc/UTC`?n=new Date(+e+e.getTimezoneOffset()*6e4):t==Ra?n=e:(n=new Date(e.toLocaleString(`en-US`,{timeZone:t})),n.setMilliseconds(e.getMilliseconds())),n}var Ba=e=>e%1==0,Va=[1,2,2.5,5],Ha=oa(10,-32,0,Va),Ua=oa(10,0,32,Va),Wa=Ua.filter(Ba),Ga=Ha.concat(Ua),Ka=`
`,qa=`{YYYY}`,Ja=Ka+qa,Ya=`{M}/{D}`,Xa=Ka+Ya,Za=Xa+`/{YY}`,Qa=`{aa}`,$a=`{h}:{mm}`+Qa,eo=Ka+$a,to=`:{ss}`,$=null;function no(e){let t=e*1e3,n=t*60,r=n*60,i=r*24,a=i*30,o=i*365,s=(e==1?oa(10,0,3,Va).filter(Ba):oa(10,-3,0,Va)).concat([t,t*5,t*10,t*15,t*30,n,n*5,n*10,n*15,n*30,r,r*2,r*3,r*4,r*6,r*8,r*12,i,i*2,i*3,i*4,i*5,i*6,i*7,i*8,i*9,i*10,i*15,a,a*2,a*3,a*4,a*6,o,o*2,o*5,o*10,o*25,o*50,o*100]),c=[[o,qa,$,$,$,$,$,$,1],[i*28,`{MMM}`,Ja,$,$,$,$,$,1],[i,Ya,Ja,$,$,$,$,$,1],[r,`{h}`+Qa,Za,$,Xa,$,$,$,1],[n,$a,Za,$,Xa,$,$,$,1],[t,to,Za+` `+$a,$,Xa+` `+$a,$,eo,$,1],[e,to+`.{fff}`,Za+` `+$a,$,Xa+` `+$a,$,eo,$,1]];function l(t){return(s,c,l,u,d,f)=>{let p=[],m=d>=o,h=d>=a&&d<o,g=t(l),_=Q(g*e,3),v=po(g.getFullYear(),m?0:g.getMonth(),h||m?1:g.getDate()),y=Q(v*e,3);if(h||m){let n=h?d/a:0,r=m?d/o:0,i=_==y?_:Q(po(v.getFullYear()+r,v.getMonth()+n,1)*e,3),s=new Date(Ni(i/e)),c=s.getFullYear(),l=s.getMonth();for(let a=0;i<=u;a++){let o=po(c+r*a,l+n*a,1),s=o-t(Q(o*e,3));i=Q((+o+s)*e,3),i<=u&&p.push(i)}}else{let a=d>=i?i:d,o=y+(Mi(l)-Mi(_))+na(_-y,a);p.push(o);let m=t(o),h=m.getHours()+m.getMinutes()/n+m.getSeconds()/r,g=d/r,v=f/s.axes[c]._space;for(;o=Q(o+d,e==1?0:3),!(o>u);)if(g>1){let e=Mi(Q(h+g,6))%24,n=t(o).getHours()-e;n>1&&(n=-1),o-=n*r,h=(h+g)%24;let i=p[p.length-1];Q((o-i)/d,3)*v>=.7&&p.push(o)}else p.push(o)}return p}}return[s,c,l]}var[ro,io,ao]=no(1),[oo,so,co]=no(.001);oa(2,-53,53,[1]);function lo(e,t){return e.map(e=>e.map((n,r)=>r==0||r==8||n==null?n:t(r==1||e[8]==0?n:e[1]+n)))}function uo(e,t){return(n,r,i,a,o)=>{let s=t.find(e=>o>=e[0])||t[t.length-1],c,l,u,d,f,p;return r.map(t=>{let n=e(t),r=n.getFullYear(),i=n.getMonth(),a=n.getDate(),o=n.getHours(),m=n.getMinutes(),h=n.getSeconds(),g=r!=c&&s[2]||i!=l&&s[3]||a!=u&&s[4]||o!=d&&s[5]||m!=f&&s[6]||h!=p&&s[7]||s[1];return c=r,l=i,u=a,d=o,f=m,p=h,g(n)})}}function fo(e,t){let n=La(t);return(t,r,i,a,o)=>r.map(t=>n(e(t)))}function po(e,t,n){return new Date(e,t,n)}function mo(e,t){return t(e)}var ho=`{YYYY}-{MM}-{DD} {h}:{mm}{aa}`;function go(e,t){return(n,r,i,a)=>a==null?Wr:t(e(r))}function _o(e,t){let n=e.series[t];return n.width?n.stroke(e,t):n.points.width?n.points.stroke(e,t):null}function vo(e,t){return e.series[t].fill(e,t)}var yo={show:!0,live:!0,isolate:!1,mount:qi,markers:{show:!0,width:2,stroke:_o,fill:vo,dash:`solid`},idx:null,idxs:null,values:[]};function bo(e,t){let n=e.cursor.points,r=ei(),i=n.size(e,t);Y(r,Er,i),Y(r,Dr,i);let a=i/-2;Y(r,`marginLeft`,a),Y(r,`marginTop`,a);let o=n.width(e,t,i);return o&&Y(r,`borderWidth`,o),r}function xo(e,t){let n=e.series[t].points;return n._fill||n._stroke}function So(e,t){let n=e.series[t].points;return n._stroke||n._fill}function Co(e,t){return e.series[t].points.size}var wo=[0,0];function To(e,t,n){return wo[0]=t,wo[1]=n,wo}function Eo(e,t,n,r=!0){return e=>{e.button!=0||r&&e.target!=t||n(e)}}function Do(e,t,n,r=!0){return e=>{r&&e.target!=t||n(e)}}var Oo={show:!0,x:!0,y:!0,lock:!1,move:To,points:{one:!1,show:bo,size:Co,width:0,stroke:So,fill:xo},bind:{mousedown:Eo,mouseup:Eo,click:Eo,dblclick:Eo,mousemove:Do,mouseleave:Do,mouseenter:Do},drag:{setScale:!0,x:!0,y:!1,dist:0,uni:null,click:(e,t)=>{t.stopPropagation(),t.stopImmediatePropagation()},_x:!1,_y:!1},focus:{dist:(e,t,n,r,i)=>r-i,prox:-1,bias:0},hover:{skip:[void 0],prox:null,bias:0},left:-10,top:-10,idx:null,dataIdx:null,idxs:null,event:null},ko={show:!0,stroke:`rgba(0,0,0,0.07)`,width:2},Ao=ya({},ko,{filter:Yi}),jo=ya({},Ao,{size:10}),Mo=ya({},ko,{show:!1}),No=`12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif, "Apple Color Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Noto Color Emoji"`,Po=`bold `+No,Fo=1.5,Io={show:!0,scale:`x`,stroke:Mr,space:50,gap:5,alignTo:1,size:50,labelGap:0,labelSize:30,labelFont:Po,side:2,grid:Ao,ticks:jo,border:Mo,font:No,lineGap:Fo,rotate:0},Lo=`Value`,Ro=`Time`,zo={show:!0,scale:`x`,auto:!1,sorted:1,min:Ui,max:-1/0,idxs:[]};function Bo(e,t,n,r,i){return t.map(e=>e==null?``:Oi(e))}function Vo(e,t,n,r,i,a,o){let s=[],c=ia.get(i)||0;n=o?n:Q(na(n,i),c);for(let e=n;e<=r;e=Q(e+i,c))s.push(Object.is(e,-0)?0:e);return s}function Ho(e,t,n,r,i,a,o){let s=[],c=e.scales[e.axes[t].scale].log;i=Li(c,Mi((c==10?zi:Bi)(n))),c==10&&(i=Ga[di(i,Ga)]);let l=n,u=i*c;c==10&&(u=Ga[di(u,Ga)]);do s.push(l),l+=i,c==10&&!ia.has(l)&&(l=Q(l,ia.get(i))),l>=u&&(i=l,u=i*c,c==10&&(u=Ga[di(u,Ga)]));while(l<=r);return s}function Uo(e,t,n,r,i,a,o){let s=e.scales[e.axes[t].scale].asinh,c=r>s?Ho(e,t,Ii(s,n),r,i):[s],l=r>=0&&n<=0?[0]:[];return(n<-s?Ho(e,t,Ii(s,-r),-n,i):[s]).reverse().map(e=>-e).concat(l,c)}var Wo=/./,Go=/[12357]/,Ko=/[125]/,qo=/1/,Jo=(e,t,n,r)=>e.map((e,i)=>t==4&&e==0||i%r==0&&n.test(e.toExponential()[+(e<0)])?e:null);function Yo(e,t,n,r,i){let a=e.axes[n],o=a.scale,s=e.scales[o],c=e.valToPos,l=a._space,u=c(10,o),d=c(9,o)-u>=l?Wo:c(7,o)-u>=l?Go:c(5,o)-u>=l?Ko:qo;if(d==qo){let e=ji(c(1,o)-u);if(e<l)return Jo(t.slice().reverse(),s.distr,d,Pi(l/e)).reverse()}return Jo(t,s.distr,d,1)}function Xo(e,t,n,r,i){let a=e.axes[n],o=a.scale,s=a._space,c=e.valToPos,l=ji(c(1,o)-c(2,o));return l<s?Jo(t.slice().reverse(),3,Wo,Pi(s/l)).reverse():t}function Zo(e,t,n,r){return r==null?Wr:t==null?``:Oi(t)}var Qo={show:!0,scale:`y`,stroke:Mr,space:30,gap:5,alignTo:1,size:50,labelGap:0,labelSize:30,labelFont:Po,side:3,grid:Ao,ticks:jo,border:Mo,font:No,lineGap:Fo,rotate:0};function $o(e,t){return Q((3+(e||1)*2)*t,3)}function es(e,t){let{scale:n,idxs:r}=e.series[0],i=e._data[0],a=e.valToPos(i[r[0]],n,!0),o=ji(e.valToPos(i[r[1]],n,!0)-a)/(e.series[t].points.space*J);return r[1]-r[0]<=o}var ts={scale:null,auto:!0,sorted:0,min:Ui,max:-1/0},ns=(e,t,n,r,i)=>i,rs={show:!0,auto:!0,sorted:0,gaps:ns,alpha:1,facets:[ya({},ts,{scale:`x`}),ya({},ts,{scale:`y`})]},is={scale:`y`,auto:!0,sorted:0,show:!0,spanGaps:!1,gaps:ns,alpha:1,points:{show:es,filter:null},values:null,min:Ui,max:-1/0,idxs:[],path:null,clip:null};function as(e,t,n,r,i){return n/10}var os={time:ar,auto:!0,distr:1,log:10,asinh:1,min:null,max:null,dir:1,ori:0},ss=ya({},os,{time:!1,ori:1}),cs={};function ls(e,t){let n=cs[e];return n||(n={key:e,plots:[],sub(e){n.plots.push(e)},unsub(e){n.plots=n.plots.filter(t=>t!=e)},pub(e,t,r,i,a,o,s){for(let c=0;c<n.plots.length;c++)n.plots[c]!=t&&n.plots[c].pub(e,t,r,i,a,o,s)}},e!=null&&(cs[e]=n)),n}var us=1,ds=2;function fs(e,t,n){let r=e.mode,i=e.series[t],a=r==2?e._data[t]:e._data,o=e.scales,s=e.bbox,c=a[0],l=r==2?a[1]:a[t],u=r==2?o[i.facets[0].scale]:o[e.series[0].scale],d=r==2?o[i.facets[1].scale]:o[i.scale],f=s.left,p=s.top,m=s.width,h=s.height,g=e.valToPosH,_=e.valToPosV;return u.ori==0?n(i,c,l,u,d,g,_,f,p,m,h,xs,Cs,Ts,Ds,ks):n(i,c,l,u,d,_,g,p,f,h,m,Ss,ws,Es,Os,As)}function ps(e,t){let n=0,r=0,i=X(e.bands,ca);for(let e=0;e<i.length;e++){let a=i[e];a.series[0]==t?n=a.dir:a.series[1]==t&&(a.dir==1?r|=1:r|=2)}return[n,r==1?-1:r==2?1:r==3?2:0]}function ms(e,t,n,r,i){let a=e.mode,o=e.series[t],s=a==2?o.facets[1].scale:o.scale,c=e.scales[s];return i==-1?c.min:i==1?c.max:c.distr==3?c.dir==1?c.min:c.max:0}function hs(e,t,n,r,i,a){return fs(e,t,(e,t,o,s,c,l,u,d,f,p,m)=>{let h=e.pxRound,g=s.dir*(s.ori==0?1:-1),_=s.ori==0?Cs:ws,v,y;g==1?(v=n,y=r):(v=r,y=n);let b=h(l(t[v],s,p,d)),x=h(u(o[v],c,m,f)),S=h(l(t[y],s,p,d)),C=h(u(a==1?c.max:c.min,c,m,f)),w=new Path2D(i);return _(w,S,C),_(w,b,C),_(w,b,x),w})}function gs(e,t,n,r,i,a){let o=null;if(e.length>0){o=new Path2D;let s=t==0?Ts:Es,c=n;for(let t=0;t<e.length;t++){let n=e[t];if(n[1]>n[0]){let e=n[0]-c;e>0&&s(o,c,r,e,r+a),c=n[1]}}let l=n+i-c;l>0&&s(o,c,r-5,l,r+a+10)}return o}function _s(e,t,n){let r=e[e.length-1];r&&r[0]==t?r[1]=n:e.push([t,n])}function vs(e,t,n,r,i,a,o){let s=[],c=e.length;for(let l=i==1?n:r;l>=n&&l<=r;l+=i)if(t[l]===null){let u=l,d=l;if(i==1)for(;++l<=r&&t[l]===null;)d=l;else for(;--l>=n&&t[l]===null;)d=l;let f=a(e[u]),p=d==u?f:a(e[d]),m=u-i;f=o<=0&&m>=0&&m<c?a(e[m]):f;let h=d+i;p=o>=0&&h>=0&&h<c?a(e[h]):p,p>=f&&s.push([f,p])}return s}function ys(e){return e==0?Ji:e==1?Ni:t=>ta(t,e)}function bs(e){let t=e==0?xs:Ss,n=e==0?(e,t,n,r,i,a)=>{e.arcTo(t,n,r,i,a)}:(e,t,n,r,i,a)=>{e.arcTo(n,t,i,r,a)},r=e==0?(e,t,n,r,i)=>{e.rect(t,n,r,i)}:(e,t,n,r,i)=>{e.rect(n,t,i,r)};return(e,i,a,o,s,c=0,l=0)=>{c==0&&l==0?r(e,i,a,o,s):(c=Fi(c,o/2,s/2),l=Fi(l,o/2,s/2),t(e,i+c,a),n(e,i+o,a,i+o,a+s,c),n(e,i+o,a+s,i,a+s,l),n(e,i,a+s,i,a,l),n(e,i,a,i+o,a,c),e.closePath())}}var xs=(e,t,n)=>{e.moveTo(t,n)},Ss=(e,t,n)=>{e.moveTo(n,t)},Cs=(e,t,n)=>{e.lineTo(t,n)},ws=(e,t,n)=>{e.lineTo(n,t)},Ts=bs(0),Es=bs(1),Ds=(e,t,n,r,i,a)=>{e.arc(t,n,r,i,a)},Os=(e,t,n,r,i,a)=>{e.arc(n,t,r,i,a)},ks=(e,t,n,r,i,a,o)=>{e.bezierCurveTo(t,n,r,i,a,o)},As=(e,t,n,r,i,a,o)=>{e.bezierCurveTo(n,t,i,r,o,a)};function js(e){return(e,t,n,r,i)=>fs(e,t,(t,a,o,s,c,l,u,d,f,p,m)=>{let{pxRound:h,points:g}=t,_,v;s.ori==0?(_=xs,v=Ds):(_=Ss,v=Os);let y=Q(g.width*J,3),b=(g.size-g.width)/2*J,x=Q(b*2,3),S=new Path2D,C=new Path2D,{left:w,top:T,width:E,height:D}=e.bbox;Ts(C,w-x,T-x,E+x*2,D+x*2);let O=e=>{if(o[e]!=null){let t=h(l(a[e],s,p,d)),n=h(u(o[e],c,m,f));_(S,t+b,n),v(S,t,n,b,0,Ai*2)}};if(i)i.forEach(O);else for(let e=n;e<=r;e++)O(e);return{stroke:y>0?S:null,fill:S,clip:C,flags:3}})}function Ms(e){return(t,n,r,i,a,o)=>{r!=i&&(a!=r&&o!=r&&e(t,n,r),a!=i&&o!=i&&e(t,n,i),e(t,n,o))}}var Ns=Ms(Cs),Ps=Ms(ws);function Fs(e){let t=X(e?.alignGaps,0);return(e,n,r,i)=>fs(e,n,(a,o,s,c,l,u,d,f,p,m,h)=>{[r,i]=hi(s,r,i);let g=a.pxRound,_=e=>g(u(e,c,m,f)),v=e=>g(d(e,l,h,p)),y,b;c.ori==0?(y=Cs,b=Ns):(y=ws,b=Ps);let x=c.dir*(c.ori==0?1:-1),S={stroke:new Path2D,fill:null,clip:null,band:null,gaps:null,flags:us},C=S.stroke,w=!1;if(i-r>=m*4){let t=t=>e.posToVal(t,c.key,!0),n=null,a=null,l,u,d,f=_(o[x==1?r:i]),p=_(o[r]),m=_(o[i]),h=t(x==1?p+1:m-1);for(let e=x==1?r:i;e>=r&&e<=i;e+=x){let r=o[e],i=(x==1?r<h:r>h)?f:_(r),c=s[e];i==f?c==null?c===null&&(w=!0):(u=c,n==null?(y(C,i,v(u)),l=n=a=u):u<n?n=u:u>a&&(a=u)):(n!=null&&b(C,f,v(n),v(a),v(l),v(u)),c==null?(n=a=null,c===null&&(w=!0)):(u=c,y(C,i,v(u)),n=a=l=u),f=i,h=t(f+x))}n!=null&&n!=a&&d!=f&&b(C,f,v(n),v(a),v(l),v(u))}else for(let e=x==1?r:i;e>=r&&e<=i;e+=x){let t=s[e];t===null?w=!0:t!=null&&y(C,_(o[e]),v(t))}let[T,E]=ps(e,n);if(a.fill!=null||T!=0){let t=S.fill=new Path2D(C),s=v(a.fillTo(e,n,a.min,a.max,T)),c=_(o[r]),l=_(o[i]);x==-1&&([l,c]=[c,l]),y(t,l,s),y(t,c,s)}if(!a.spanGaps){let l=[];w&&l.push(...vs(o,s,r,i,x,_,t)),S.gaps=l=a.gaps(e,n,r,i,l),S.clip=gs(l,c.ori,f,p,m,h)}return E!=0&&(S.band=E==2?[hs(e,n,r,i,C,-1),hs(e,n,r,i,C,1)]:hs(e,n,r,i,C,E)),S})}function Is(e){let t=X(e.align,1),n=X(e.ascDesc,!1),r=X(e.alignGaps,0),i=X(e.extend,!1);return(e,a,o,s)=>fs(e,a,(c,l,u,d,f,p,m,h,g,_,v)=>{[o,s]=hi(u,o,s);let y=c.pxRound,{left:b,width:x}=e.bbox,S=e=>y(p(e,d,_,h)),C=e=>y(m(e,f,v,g)),w=d.ori==0?Cs:ws,T={stroke:new Path2D,fill:null,clip:null,band:null,gaps:null,flags:us},E=T.stroke,D=d.dir*(d.ori==0?1:-1),O=C(u[D==1?o:s]),k=S(l[D==1?o:s]),ee=k,A=k;i&&t==-1&&(A=b,w(E,A,O)),w(E,k,O);for(let e=D==1?o:s;e>=o&&e<=s;e+=D){let n=u[e];if(n==null)continue;let r=S(l[e]),i=C(n);t==1?w(E,r,O):w(E,ee,i),w(E,r,i),O=i,ee=r}let j=ee;i&&t==1&&(j=b+x,w(E,j,O));let[te,ne]=ps(e,a);if(c.fill!=null||te!=0){let t=T.fill=new Path2D(E),n=C(c.fillTo(e,a,c.min,c.max,te));w(t,j,n),w(t,A,n)}if(!c.spanGaps){let i=[];i.push(...vs(l,u,o,s,D,S,r));let f=c.width*J/2,p=n||t==1?f:-f,m=n||t==-1?-f:f;i.forEach(e=>{e[0]+=p,e[1]+=m}),T.gaps=i=c.gaps(e,a,o,s,i),T.clip=gs(i,d.ori,h,g,_,v)}return ne!=0&&(T.band=ne==2?[hs(e,a,o,s,E,-1),hs(e,a,o,s,E,1)]:hs(e,a,o,s,E,ne)),T})}function Ls(e,t,n,r,i,a,o=Ui){if(e.length>1){let s=null;for(let c=0,l=1/0;c<e.length;c++)if(t[c]!==void 0){if(s!=null){let t=ji(e[c]-e[s]);t<l&&(l=t,o=ji(n(e[c],r,i,a)-n(e[s],r,i,a)))}s=c}}return o}function Rs(e){e||=sa;let t=X(e.size,[.6,Ui,1]),n=e.align||0,r=e.gap||0,i=e.radius;i=i==null?[0,0]:typeof i==`number`?[i,0]:i;let a=Z(i),o=1-t[0],s=X(t[1],Ui),c=X(t[2],1),l=X(e.disp,sa),u=X(e.each,e=>{}),{fill:d,stroke:f}=l;return(e,t,i,p)=>fs(e,t,(m,h,g,_,v,y,b,x,S,C,w)=>{let T=m.pxRound,E=n,D=r*J,O=s*J,k=c*J,ee,A;_.ori==0?[ee,A]=a(e,t):[A,ee]=a(e,t);let j=_.dir*(_.ori==0?1:-1),te=_.ori==0?Ts:Es,ne=_.ori==0?u:(e,t,n,r,i,a,o)=>{u(e,t,n,i,r,o,a)},re=X(e.bands,ca).find(e=>e.series[0]==t),ie=re==null?0:re.dir,ae=m.fillTo(e,t,m.min,m.max,ie),M=T(b(ae,v,w,S)),N,P,oe,F=C,I=T(m.width*J),se=!1,ce=null,le=null,ue=null,de=null;d!=null&&(I==0||f!=null)&&(se=!0,ce=d.values(e,t,i,p),le=new Map,new Set(ce).forEach(e=>{e!=null&&le.set(e,new Path2D)}),I>0&&(ue=f.values(e,t,i,p),de=new Map,new Set(ue).forEach(e=>{e!=null&&de.set(e,new Path2D)})));let{x0:fe,size:pe}=l;if(fe!=null&&pe!=null){E=1,h=fe.values(e,t,i,p),fe.unit==2&&(h=h.map(t=>e.posToVal(x+t*C,_.key,!0)));let n=pe.values(e,t,i,p);P=pe.unit==2?n[0]*C:y(n[0],_,C,x)-y(0,_,C,x),F=Ls(h,g,y,_,C,x,F),oe=F-P+D}else F=Ls(h,g,y,_,C,x,F),oe=F*o+D,P=F-oe;oe<1&&(oe=0),I>=P/2&&(I=0),oe<5&&(T=Ji);let me=oe>0,L=F-oe-(me?I:0);P=T(Gi(L,k,O)),N=(E==0?P/2:E==j?0:P)-E*j*((E==0?D/2:0)+(me?I/2:0));let R={stroke:null,fill:null,clip:null,band:null,gaps:null,flags:0},he=se?null:new Path2D,z=null;if(re!=null)z=e.data[re.series[1]];else{let{y0:n,y1:r}=l;n!=null&&r!=null&&(g=r.values(e,t,i,p),z=n.values(e,t,i,p))}let ge=ee*P,_e=A*P;for(let n=j==1?i:p;n>=i&&n<=p;n+=j){let r=g[n];if(r==null)continue;if(z!=null){let e=z[n]??0;if(r-e==0)continue;M=b(e,v,w,S)}let i=y(_.distr!=2||l!=null?h[n]:n,_,C,x),a=b(X(r,ae),v,w,S),o=T(i-N),s=T(Ii(a,M)),c=T(Fi(a,M)),u=s-c;if(r!=null){let i=r<0?_e:ge,a=r<0?ge:_e;se?(I>0&&ue[n]!=null&&te(de.get(ue[n]),o,c+Mi(I/2),P,Ii(0,u-I),i,a),ce[n]!=null&&te(le.get(ce[n]),o,c+Mi(I/2),P,Ii(0,u-I),i,a)):te(he,o,c+Mi(I/2),P,Ii(0,u-I),i,a),ne(e,t,n,o-I/2,c,P+I,u)}}return I>0?R.stroke=se?de:he:se||(R._fill=m.width==0?m._fill:m._stroke??m._fill,R.width=0),R.fill=se?le:he,R})}function zs(e,t){let n=X(t?.alignGaps,0);return(t,r,i,a)=>fs(t,r,(o,s,c,l,u,d,f,p,m,h,g)=>{[i,a]=hi(c,i,a);let _=o.pxRound,v=e=>_(d(e,l,h,p)),y=e=>_(f(e,u,g,m)),b,x,S;l.ori==0?(b=xs,S=Cs,x=ks):(b=Ss,S=ws,x=As);let C=l.dir*(l.ori==0?1:-1),w=v(s[C==1?i:a]),T=w,E=[],D=[];for(let e=C==1?i:a;e>=i&&e<=a;e+=C)if(c[e]!=null){let t=s[e],n=v(t);E.push(T=n),D.push(y(c[e]))}let O={stroke:e(E,D,b,S,x,_),fill:null,clip:null,band:null,gaps:null,flags:us},k=O.stroke,[ee,A]=ps(t,r);if(o.fill!=null||ee!=0){let e=O.fill=new Path2D(k),n=y(o.fillTo(t,r,o.min,o.max,ee));S(e,T,n),S(e,w,n)}if(!o.spanGaps){let e=[];e.push(...vs(s,c,i,a,C,v,n)),O.gaps=e=o.gaps(t,r,i,a,e),O.clip=gs(e,l.ori,p,m,h,g)}return A!=0&&(O.band=A==2?[hs(t,r,i,a,k,-1),hs(t,r,i,a,k,1)]:hs(t,r,i,a,k,A)),O})}function Bs(e){return zs(Vs,e)}function Vs(e,t,n,r,i,a){let o=e.length;if(o<2)return null;let s=new Path2D;if(n(s,e[0],t[0]),o==2)r(s,e[1],t[1]);else{let n=Array(o),r=Array(o-1),a=Array(o-1),c=Array(o-1);for(let n=0;n<o-1;n++)a[n]=t[n+1]-t[n],c[n]=e[n+1]-e[n],r[n]=a[n]/c[n];n[0]=r[0];for(let e=1;e<o-1;e++)r[e]===0||r[e-1]===0||r[e-1]>0!=r[e]>0?n[e]=0:(n[e]=3*(c[e-1]+c[e])/((2*c[e]+c[e-1])/r[e-1]+(c[e]+2*c[e-1])/r[e]),isFinite(n[e])||(n[e]=0));n[o-1]=r[o-2];for(let r=0;r<o-1;r++)i(s,e[r]+c[r]/3,t[r]+n[r]*c[r]/3,e[r+1]-c[r]/3,t[r+1]-n[r+1]*c[r]/3,e[r+1],t[r+1])}return s}var Hs=new Set;function Us(){for(let e of Hs)e.syncRect(!0)}Gr&&(li(Br,qr,Us),li(Vr,qr,Us,!0),li(Ur,qr,()=>{ac.pxRatio=J}));var Ws=Fs(),Gs=js();function Ks(e,t,n,r){return(r?[e[0],e[1]].concat(e.slice(2)):[e[0]].concat(e.slice(1))).map((e,r)=>Js(e,r,t,n))}function qs(e,t){return e.map((e,n)=>n==0?{}:ya({},t,e))}function Js(e,t,n,r){return ya({},t==0?n:r,e)}function Ys(e,t,n){return t==null?la:[t,n]}var Xs=Ys;function Zs(e,t,n){return t==null?la:wi(t,n,bi,!0)}function Qs(e,t,n,r){return t==null?la:vi(t,n,e.scales[r].log,!1)}var $s=Qs;function ec(e,t,n,r){return t==null?la:yi(t,n,e.scales[r].log,!1)}var tc=ec;function nc(e,t,n,r,i){let a=Ii(Wi(e),Wi(t)),o=t-e,s=di(i/r*o,n);do{let e=n[s],t=r*e/o;if(t>=i&&a+(e<5?ia.get(e):0)<=17)return[e,t]}while(++s<n.length);return[0,0]}function rc(e){let t,n;return e=e.replace(/(\d+)px/,(e,r)=>(t=Ni((n=+r)*J))+`px`),[e,t,n]}function ic(e){e.show&&[e.font,e.labelFont].forEach(e=>{let t=Q(e[2]*J,1);e[0]=e[0].replace(/[0-9.]+px/,t+`px`),e[1]=t})}function ac(e,t,n){let r={mode:X(e.mode,1)},i=r.mode;function a(e,t,n,r){let i=t.valToPct(e);return r+n*(t.dir==-1?1-i:i)}function o(e,t,n,r){let i=t.valToPct(e);return r+n*(t.dir==-1?i:1-i)}function s(e,t,n,r){return t.ori==0?a(e,t,n,r):o(e,t,n,r)}r.valToPosH=a,r.valToPosV=o;let c=!1;r.status=0;let l=r.root=ei(or);if(e.id!=null&&(l.id=e.id),Zr(l,e.class),e.title){let t=ei(lr,l);t.textContent=e.title}let u=$r(`canvas`),d=r.ctx=u.getContext(`2d`),f=ei(ur,l);li(`click`,f,e=>{e.target===m&&(U!=tn||W!=nn)&&G.click(r,e)},!0);let p=r.under=ei(dr,f);f.appendChild(u);let m=r.over=ei(fr,f);e=va(e);let h=+X(e.pxAlign,1),g=ys(h);(e.plugins||[]).forEach(t=>{t.opts&&(e=t.opts(r,e)||e)});let _=e.ms||.001,v=r.series=i==1?Ks(e.series||[],zo,is,!1):qs(e.series||[null],rs),y=r.axes=Ks(e.axes||[],Io,Qo,!0),b=r.scales={},x=r.bands=e.bands||[];x.forEach(e=>{e.fill=Z(e.fill||null),e.dir=X(e.dir,-1)});let S=i==2?v[1].facets[0].scale:v[0].scale,C={axes:zt,series:Ot},w=(e.drawOrder||[`axes`,`series`]).map(e=>C[e]);function T(e){let t=e.distr==3?t=>zi(t>0?t:e.clamp(r,t,e.min,e.max,e.key)):e.distr==4?t=>Hi(t,e.asinh):e.distr==100?t=>e.fwd(t):e=>e;return n=>{let r=t(n),{_min:i,_max:a}=e,o=a-i;return(r-i)/o}}function E(t){let n=b[t];if(n==null){let r=(e.scales||sa)[t]||sa;if(r.from!=null){E(r.from);let e=ya({},b[r.from],r,{key:t});e.valToPct=T(e),b[t]=e}else{n=b[t]=ya({},t==S?os:ss,r),n.key=t;let e=n.time,a=n.range,o=ua(a);if((t!=S||i==2&&!e)&&(o&&(a[0]==null||a[1]==null)&&(a={min:a[0]==null?xi:{mode:1,hard:a[0],soft:a[0]},max:a[1]==null?xi:{mode:1,hard:a[1],soft:a[1]}},o=!1),!o&&ma(a))){let e=a;a=(t,n,r)=>n==null?la:wi(n,r,e)}n.range=Z(a||(e?Xs:t==S?n.distr==3?$s:n.distr==4?tc:Ys:n.distr==3?Qs:n.distr==4?ec:Zs)),n.auto=Z(!o&&n.auto),n.clamp=Z(n.clamp||as),n._min=n._max=null,n.valToPct=T(n)}}}E(`x`),E(`y`),i==1&&v.forEach(e=>{E(e.scale)}),y.forEach(e=>{E(e.scale)});for(let t in e.scales)E(t);let D=b[S],O=D.distr,k,ee;D.ori==0?(Zr(l,sr),k=a,ee=o):(Zr(l,cr),k=o,ee=a);let A={};for(let e in b){let t=b[e];(t.min!=null||t.max!=null)&&(A[e]={min:t.min,max:t.max},t.min=t.max=null)}let j=e.tzDate||(e=>new Date(Ni(e/_))),te=e.fmtDate||La,ne=_==1?ao(j):co(j),re=uo(j,lo(_==1?io:so,te)),ie=go(j,mo(ho,te)),ae=[],M=r.legend=ya({},yo,e.legend),N=r.cursor=ya({},Oo,{drag:{y:i==2}},e.cursor),P=M.show,oe=N.show,F=M.markers;M.idxs=ae,F.width=Z(F.width),F.dash=Z(F.dash),F.stroke=Z(F.stroke),F.fill=Z(F.fill);let I,se,ce,le=[],ue=[],de,fe=!1,pe={};if(M.live){let e=v[1]?v[1].values:null;fe=e!=null,de=fe?e(r,1,0):{_:0};for(let e in de)pe[e]=Wr}if(P){if(I=$r(`table`,yr,l),ce=$r(`tbody`,null,I),M.mount(r,I),fe){se=$r(`thead`,null,I,ce);let e=$r(`tr`,null,se);for(var me in $r(`th`,null,e),de)$r(`th`,wr,e).textContent=me}else Zr(I,xr),M.live&&Zr(I,br)}let L={show:!0},R={show:!1};function he(e,t){if(t==0&&(fe||!M.live||i==2))return la;let n=[],a=$r(`tr`,Sr,ce,ce.childNodes[t]);Zr(a,e.class),e.show||Zr(a,mr);let o=$r(`th`,null,a);if(F.show){let e=ei(Cr,o);if(t>0){let n=F.width(r,t);n&&(e.style.border=n+`px `+F.dash(r,t)+` `+F.stroke(r,t)),e.style.background=F.fill(r,t)}}let s=ei(wr,o);for(var c in e.label instanceof HTMLElement?s.appendChild(e.label):s.textContent=e.label,t>0&&(F.show||(s.style.color=e.width>0?F.stroke(r,t):F.fill(r,t)),ge(`click`,o,t=>{if(N._lock)return;He(t);let n=v.indexOf(e);if((t.ctrlKey||t.metaKey)!=M.isolate){let e=v.some((e,t)=>t>0&&t!=n&&e.show);v.forEach((t,r)=>{r>0&&fn(r,e?r==n?L:R:L,!0,Zn.setSeries)})}else fn(n,{show:!e.show},!0,Zn.setSeries)},!1),Ge&&ge(Lr,o,t=>{N._lock||(He(t),fn(v.indexOf(e),bn,!0,Zn.setSeries))},!1)),de){let e=$r(`td`,Tr,a);e.textContent=`--`,n.push(e)}return[a,n]}let z=new Map;function ge(e,t,n,i=!0){let a=z.get(t)||{},o=N.bind[e](r,t,n,i);o&&(li(e,t,a[e]=o),z.set(t,a))}function _e(e,t,n){let r=z.get(t)||{};for(let n in r)(e==null||n==e)&&(ui(n,t,r[n]),delete r[n]);e??z.delete(t)}let ve=0,ye=0,B=0,V=0,be=0,xe=0,Se=be,Ce=xe,we=B,Te=V,Ee=0,De=0,Oe=0,ke=0;r.bbox={};let Ae=!1,je=!1,Me=!1,Ne=!1,Pe=!1,Fe=!1;function Ie(e,t,n){(n||e!=r.width||t!=r.height)&&Le(e,t),Bt(!1),Me=!0,je=!0,Gt()}function Le(e,t){r.width=ve=B=e,r.height=ye=V=t,be=xe=0,Be(),Ve();let n=r.bbox;Ee=n.left=ta(be*J,.5),De=n.top=ta(xe*J,.5),Oe=n.width=ta(B*J,.5),ke=n.height=ta(V*J,.5)}function Re(){let e=!1,t=0;for(;!e;){t++;let n=Lt(t),i=Rt(t);e=t==3||n&&i,e||(Le(r.width,r.height),je=!0)}}function ze({width:e,height:t}){Ie(e,t)}r.setSize=ze;function Be(){let e=!1,t=!1,n=!1,r=!1;y.forEach((i,a)=>{if(i.show&&i._show){let{side:a,_size:o}=i,s=a%2,c=o+(i.label==null?0:i.labelSize);c>0&&(s?(B-=c,a==3?(be+=c,r=!0):n=!0):(V-=c,a==0?(xe+=c,e=!0):t=!0))}}),et[0]=e,et[1]=n,et[2]=t,et[3]=r,B-=it[1]+it[3],be+=it[3],V-=it[2]+it[0],xe+=it[0]}function Ve(){let e=be+B,t=xe+V,n=be,r=xe;function i(i,a){switch(i){case 1:return e+=a,e-a;case 2:return t+=a,t-a;case 3:return n-=a,n+a;case 0:return r-=a,r+a}}y.forEach((e,t)=>{if(e.show&&e._show){let t=e.side;e._pos=i(t,e._size),e.label!=null&&(e._lpos=i(t,e.labelSize))}})}if(N.dataIdx==null){let e=N.hover,n=e.skip=new Set(e.skip??[]);n.add(void 0);let r=e.prox=Z(e.prox),i=e.bias??=0;N.dataIdx=(e,a,o,s)=>{if(a==0)return o;let c=o,l=r(e,a,o,s)??Ui,u=l>=0&&l<Ui,d=D.ori==0?B:V,f=N.left,p=t[0],m=t[a];if(n.has(m[o])){c=null;let e=null,t=null,r;if(i==0||i==-1)for(r=o;e==null&&r-->0;)n.has(m[r])||(e=r);if(i==0||i==1)for(r=o;t==null&&r++<m.length;)n.has(m[r])||(t=r);if(e!=null||t!=null){if(u){let n=e==null?-1/0:k(p[e],D,d,0),r=t==null?1/0:k(p[t],D,d,0),i=f-n,a=r-f;i<=a?i<=l&&(c=e):a<=l&&(c=t)}else c=t==null?e:e==null?t:o-e<=t-o?e:t}}else u&&ji(f-k(p[o],D,d,0))>l&&(c=null);return c}}let He=e=>{N.event=e};N.idxs=ae,N._lock=!1;let Ue=N.points;Ue.show=Z(Ue.show),Ue.size=Z(Ue.size),Ue.stroke=Z(Ue.stroke),Ue.width=Z(Ue.width),Ue.fill=Z(Ue.fill);let We=r.focus=ya({},e.focus||{alpha:.3},N.focus),Ge=We.prox>=0,Ke=Ge&&Ue.one,qe=[],Je=[],Ye=[];function Xe(e,t){let n=Ue.show(r,t);if(n instanceof HTMLElement)return Zr(n,vr),Zr(n,e.class),ni(n,-10,-10,B,V),m.insertBefore(n,qe[t]),n}function Ze(e,t){if(i==1||t>0){let t=i==1&&b[e.scale].time,n=e.value;e.value=t?pa(n)?go(j,mo(n,te)):n||ie:n||Zo,e.label=e.label||(t?Ro:Lo)}if(Ke||t>0){e.width=e.width==null?1:e.width,e.paths=e.paths||Ws||Xi,e.fillTo=Z(e.fillTo||ms),e.pxAlign=+X(e.pxAlign,h),e.pxRound=ys(e.pxAlign),e.stroke=Z(e.stroke||null),e.fill=Z(e.fill||null),e._stroke=e._fill=e._paths=e._focus=null;let t=$o(Ii(1,e.width),1),n=e.points=ya({},{size:t,width:Ii(1,t*.2),stroke:e.stroke,space:t*2,paths:Gs,_stroke:null,_fill:null},e.points);n.show=Z(n.show),n.filter=Z(n.filter),n.fill=Z(n.fill),n.stroke=Z(n.stroke),n.paths=Z(n.paths),n.pxAlign=e.pxAlign}if(P){let n=he(e,t);le.splice(t,0,n[0]),ue.splice(t,0,n[1]),M.values.push(null)}if(oe){ae.splice(t,0,null);let n=null;Ke?t==0&&(n=Xe(e,t)):t>0&&(n=Xe(e,t)),qe.splice(t,0,n),Je.splice(t,0,0),Ye.splice(t,0,0)}Yn(`addSeries`,t)}function Qe(e,t){t??=v.length,e=i==1?Js(e,t,zo,is):Js(e,t,{},rs),v.splice(t,0,e),Ze(v[t],t)}r.addSeries=Qe;function $e(e){if(v.splice(e,1),P){M.values.splice(e,1),ue.splice(e,1);let t=le.splice(e,1)[0];_e(null,t.firstChild),t.remove()}oe&&(ae.splice(e,1),qe.splice(e,1)[0].remove(),Je.splice(e,1),Ye.splice(e,1)),Yn(`delSeries`,e)}r.delSeries=$e;let et=[!1,!1,!1,!1];function tt(e,t){if(e._show=e.show,e.show){let n=e.side%2,i=b[e.scale];i??=(e.scale=n?v[1].scale:S,b[e.scale]);let a=i.time;e.size=Z(e.size),e.space=Z(e.space),e.rotate=Z(e.rotate),ua(e.incrs)&&e.incrs.forEach(e=>{!ia.has(e)&&ia.set(e,aa(e))}),e.incrs=Z(e.incrs||(i.distr==2?Wa:a?_==1?ro:oo:Ga)),e.splits=Z(e.splits||(a&&i.distr==1?ne:i.distr==3?Ho:i.distr==4?Uo:Vo)),e.stroke=Z(e.stroke),e.grid.stroke=Z(e.grid.stroke),e.ticks.stroke=Z(e.ticks.stroke),e.border.stroke=Z(e.border.stroke);let o=e.values;e.values=ua(o)&&!ua(o[0])?Z(o):a?ua(o)?uo(j,lo(o,te)):pa(o)?fo(j,o):o||re:o||Bo,e.filter=Z(e.filter||(i.distr>=3&&i.log==10?Yo:i.distr==3&&i.log==2?Xo:Yi)),e.font=rc(e.font),e.labelFont=rc(e.labelFont),e._size=e.size(r,null,t,0),e._space=e._rotate=e._incrs=e._found=e._splits=e._values=null,e._size>0&&(et[t]=!0,e._el=ei(pr,f))}}function nt(e,t,n,r){let[i,a,o,s]=n,c=t%2,l=0;return c==0&&(s||a)&&(l=t==0&&!i||t==2&&!o?Ni(Io.size/3):0),c==1&&(i||o)&&(l=t==1&&!a||t==3&&!s?Ni(Qo.size/2):0),l}let rt=r.padding=(e.padding||[nt,nt,nt,nt]).map(e=>Z(X(e,nt))),it=r._padding=rt.map((e,t)=>e(r,t,et,0)),at,ot=null,st=null,ct=i==1?v[0].idxs:null,lt=null,ut=!1;function dt(e,n){if(t=e??[],r.data=r._data=t,i==2){at=0;for(let e=1;e<v.length;e++)at+=t[e][0].length}else{t.length==0&&(r.data=r._data=t=[[]]),lt=t[0],at=lt.length;let e=t;if(O==2){e=t.slice();let n=e[0]=Array(at);for(let e=0;e<at;e++)n[e]=e}r._data=t=e}if(Bt(!0),Yn(`setData`),O==2&&(Me=!0),n!==!1){let e=D;e.auto(r,ut)?ft():dn(S,e.min,e.max),Ne||=N.left>=0,Fe=!0,Gt()}}r.setData=dt;function ft(){ut=!0;let e,n;i==1&&(at>0?(ot=ct[0]=0,st=ct[1]=at-1,e=t[0][ot],n=t[0][st],O==2?(e=ot,n=st):e==n&&(O==3?[e,n]=vi(e,e,D.log,!1):O==4?[e,n]=yi(e,e,D.log,!1):D.time?n=e+Ni(86400/_):[e,n]=wi(e,n,bi,!0))):(ot=ct[0]=e=null,st=ct[1]=n=null)),dn(S,e,n)}let pt,mt,ht,gt,_t,vt,yt,bt,xt,St;function Ct(e,t,n,r,i,a){e??=Nr,n??=ca,r??=`butt`,i??=Nr,a??=`round`,e!=pt&&(d.strokeStyle=pt=e),i!=mt&&(d.fillStyle=mt=i),t!=ht&&(d.lineWidth=ht=t),a!=_t&&(d.lineJoin=_t=a),r!=vt&&(d.lineCap=vt=r),n!=gt&&d.setLineDash(gt=n)}function wt(e,t,n,r){t!=mt&&(d.fillStyle=mt=t),e!=yt&&(d.font=yt=e),n!=bt&&(d.textAlign=bt=n),r!=xt&&(d.textBaseline=xt=r)}function Tt(e,t,n,i,a=0){if(i.length>0&&e.auto(r,ut)&&(t==null||t.min==null)){let t=X(ot,0),r=X(st,i.length-1),o=n.min==null?_i(i,t,r,a,e.distr==3):[n.min,n.max];e.min=Fi(e.min,n.min=o[0]),e.max=Ii(e.max,n.max=o[1])}}let Et={min:null,max:null};function Dt(){for(let e in b){let t=b[e];A[e]==null&&(t.min==null||A[S]!=null&&t.auto(r,ut))&&(A[e]=Et)}for(let e in b){let t=b[e];A[e]==null&&t.from!=null&&A[t.from]!=null&&(A[e]=Et)}A[S]!=null&&Bt(!0);let e={};for(let t in A){let n=A[t];if(n!=null){let a=e[t]=va(b[t],ha);if(n.min!=null)ya(a,n);else if(t!=S||i==2){if(at==0&&a.from==null){let e=a.range(r,null,null,t);a.min=e[0],a.max=e[1]}else a.min=Ui,a.max=-1/0}}}if(at>0){v.forEach((n,a)=>{if(i==1){let i=n.scale,o=A[i];if(o==null)return;let s=e[i];if(a==0){let e=s.range(r,s.min,s.max,i);s.min=e[0],s.max=e[1],ot=di(s.min,t[0]),st=di(s.max,t[0]),st-ot>1&&(t[0][ot]<s.min&&ot++,t[0][st]>s.max&&st--),n.min=lt[ot],n.max=lt[st]}else n.show&&n.auto&&Tt(s,o,n,t[a],n.sorted);n.idxs[0]=ot,n.idxs[1]=st}else if(a>0&&n.show&&n.auto){let[r,i]=n.facets,o=r.scale,s=i.scale,[c,l]=t[a],u=e[o],d=e[s];u!=null&&Tt(u,A[o],r,c,r.sorted),d!=null&&Tt(d,A[s],i,l,i.sorted),n.min=i.min,n.max=i.max}});for(let t in e){let n=e[t],i=A[t];if(n.from==null&&(i==null||i.min==null)){let e=n.range(r,n.min==Ui?null:n.min,n.max==-1/0?null:n.max,t);n.min=e[0],n.max=e[1]}}}for(let t in e){let n=e[t];if(n.from!=null){let i=e[n.from];if(i.min==null)n.min=n.max=null;else{let e=n.range(r,i.min,i.max,t);n.min=e[0],n.max=e[1]}}}let n={},a=!1;for(let t in e){let r=e[t],i=b[t];if(i.min!=r.min||i.max!=r.max){i.min=r.min,i.max=r.max;let e=i.distr;i._min=e==3?zi(i.min):e==4?Hi(i.min,i.asinh):e==100?i.fwd(i.min):i.min,i._max=e==3?zi(i.max):e==4?Hi(i.max,i.asinh):e==100?i.fwd(i.max):i.max,n[t]=a=!0}}if(a){v.forEach((e,t)=>{i==2?t>0&&n.y&&(e._paths=null):n[e.scale]&&(e._paths=null)});for(let e in n)Me=!0,Yn(`setScale`,e);oe&&N.left>=0&&(Ne=Fe=!0)}for(let e in A)A[e]=null}function H(e){let t=Gi(ot-1,0,at-1),n=Gi(st+1,0,at-1);for(;e[t]==null&&t>0;)t--;for(;e[n]==null&&n<at-1;)n++;return[t,n]}function Ot(){if(at>0){let e=v.some(e=>e._focus)&&St!=We.alpha;e&&(d.globalAlpha=St=We.alpha),v.forEach((e,n)=>{if(n>0&&e.show&&(kt(n,!1),kt(n,!0),e._paths==null)){let a=St;St!=e.alpha&&(d.globalAlpha=St=e.alpha);let o=i==2?[0,t[n][0].length-1]:H(t[n]);e._paths=e.paths(r,n,o[0],o[1]),St!=a&&(d.globalAlpha=St=a)}}),v.forEach((e,t)=>{if(t>0&&e.show){let n=St;St!=e.alpha&&(d.globalAlpha=St=e.alpha),e._paths!=null&&At(t,!1);{let n=e._paths==null?null:e._paths.gaps,i=e.points.show(r,t,ot,st,n),a=e.points.filter(r,t,i,n);(i||a)&&(e.points._paths=e.points.paths(r,t,ot,st,a),At(t,!0))}St!=n&&(d.globalAlpha=St=n),Yn(`drawSeries`,t)}}),e&&(d.globalAlpha=St=1)}}function kt(e,t){let n=t?v[e].points:v[e];n._stroke=n.stroke(r,e),n._fill=n.fill(r,e)}function At(e,t){let n=t?v[e].points:v[e],{stroke:r,fill:i,clip:a,flags:o,_stroke:s=n._stroke,_fill:c=n._fill,_width:l=n.width}=n._paths;l=Q(l*J,3);let u=null,f=l%2/2;t&&c==null&&(c=l>0?`#fff`:s);let p=n.pxAlign==1&&f>0;if(p&&d.translate(f,f),!t){let e=Ee-l/2,t=De-l/2,n=Oe+l,r=ke+l;u=new Path2D,u.rect(e,t,n,r)}t?Mt(s,l,n.dash,n.cap,c,r,i,o,a):jt(e,s,l,n.dash,n.cap,c,r,i,o,u,a),p&&d.translate(-f,-f)}function jt(e,n,i,a,o,s,c,l,u,d,f){let p=!1;u!=0&&x.forEach((m,h)=>{if(m.series[0]==e){let e=v[m.series[1]],g=t[m.series[1]],_=(e._paths||sa).band;ua(_)&&(_=m.dir==1?_[0]:_[1]);let y,b=null;e.show&&_&&Ti(g,ot,st)?(b=m.fill(r,h)||s,y=e._paths.clip):_=null,Mt(n,i,a,o,b,c,l,u,d,f,y,_),p=!0}}),p||Mt(n,i,a,o,s,c,l,u,d,f)}function Mt(e,t,n,r,i,a,o,s,c,l,u,f){Ct(e,t,n,r,i),(c||l||f)&&(d.save(),c&&d.clip(c),l&&d.clip(l)),f?(s&3)==3?(d.clip(f),u&&d.clip(u),Pt(i,o),Nt(e,a,t)):s&ds?(Pt(i,o),d.clip(f),Nt(e,a,t)):s&us&&(d.save(),d.clip(f),u&&d.clip(u),Pt(i,o),d.restore(),Nt(e,a,t)):(Pt(i,o),Nt(e,a,t)),(c||l||f)&&d.restore()}function Nt(e,t,n){n>0&&(t instanceof Map?t.forEach((e,t)=>{d.strokeStyle=pt=t,d.stroke(e)}):t!=null&&e&&d.stroke(t))}function Pt(e,t){t instanceof Map?t.forEach((e,t)=>{d.fillStyle=mt=t,d.fill(e)}):t!=null&&e&&d.fill(t)}function Ft(e,t,n,i){let a=y[e],o;if(i<=0)o=[0,0];else{let s=a._space=a.space(r,e,t,n,i);o=nc(t,n,a._incrs=a.incrs(r,e,t,n,i,s),i,s)}return a._found=o}function It(e,t,n,r,i,a,o,s,c,l){let u=o%2/2;h==1&&d.translate(u,u),Ct(s,o,c,l,s),d.beginPath();let f,p,m,g,_=i+(r==0||r==3?-a:a);n==0?(p=i,g=_):(f=i,m=_);for(let r=0;r<e.length;r++)t[r]!=null&&(n==0?f=m=e[r]:p=g=e[r],d.moveTo(f,p),d.lineTo(m,g));d.stroke(),h==1&&d.translate(-u,-u)}function Lt(e){let t=!0;return y.forEach((n,i)=>{if(!n.show)return;let a=b[n.scale];if(a.min==null){n._show&&(t=!1,n._show=!1,Bt(!1));return}n._show||(t=!1,n._show=!0,Bt(!1));let o=n.side,s=o%2,{min:c,max:l}=a,[u,d]=Ft(i,c,l,s==0?B:V);if(d==0)return;let f=a.distr==2,p=n._splits=n.splits(r,i,c,l,u,d,f),m=a.distr==2?p.map(e=>lt[e]):p,h=a.distr==2?lt[p[1]]-lt[p[0]]:u,g=n._values=n.values(r,n.filter(r,m,i,d,h),i,d,h);n._rotate=o==2?n.rotate(r,g,i,d):0;let _=n._size;n._size=Pi(n.size(r,g,i,e)),_!=null&&n._size!=_&&(t=!1)}),t}function Rt(e){let t=!0;return rt.forEach((n,i)=>{let a=n(r,i,et,e);a!=it[i]&&(t=!1),it[i]=a}),t}function zt(){for(let e=0;e<y.length;e++){let t=y[e];if(!t.show||!t._show)continue;let n=t.side,i=n%2,a,o,c=t.stroke(r,e),l=n==0||n==3?-1:1,[u,f]=t._found;if(t.label!=null){let s=t.labelGap*l,p=Ni((t._lpos+s)*J);wt(t.labelFont[0],c,`center`,n==2?Or:kr),d.save(),i==1?(a=o=0,d.translate(p,Ni(De+ke/2)),d.rotate((n==3?-Ai:Ai)/2)):(a=Ni(Ee+Oe/2),o=p);let m=Ki(t.label)?t.label(r,e,u,f):t.label;d.fillText(m,a,o),d.restore()}if(f==0)continue;let p=b[t.scale],m=i==0?Oe:ke,h=i==0?Ee:De,_=t._splits,v=p.distr==2?_.map(e=>lt[e]):_,x=p.distr==2?lt[_[1]]-lt[_[0]]:u,S=t.ticks,C=t.border,w=S.show?S.size:0,T=Ni(w*J),E=Ni((t.alignTo==2?t._size-w-t.gap:t.gap)*J),D=t._rotate*-Ai/180,O=g(t._pos*J),k=O+(T+E)*l;o=i==0?k:0,a=i==1?k:0;let ee=t.font[0];wt(ee,c,t.align==1?Ar:t.align==2?jr:D>0?Ar:D<0?jr:i==0?`center`:n==3?jr:Ar,D||i==1?`middle`:n==2?Or:kr);let A=t.font[1]*t.lineGap,j=_.map(e=>g(s(e,p,m,h))),te=t._values;for(let e=0;e<te.length;e++){let t=te[e];if(t!=null){i==0?a=j[e]:o=j[e],t=``+t;let n=t.indexOf(`
`)==-1?[t]:t.split(/\n/gm);for(let e=0;e<n.length;e++){let t=n[e];D?(d.save(),d.translate(a,o+e*A),d.rotate(D),d.fillText(t,0,0),d.restore()):d.fillText(t,a,o+e*A)}}}S.show&&It(j,S.filter(r,v,e,f,x),i,n,O,T,Q(S.width*J,3),S.stroke(r,e),S.dash,S.cap);let ne=t.grid;ne.show&&It(j,ne.filter(r,v,e,f,x),i,i==0?2:1,i==0?De:Ee,i==0?ke:Oe,Q(ne.width*J,3),ne.stroke(r,e),ne.dash,ne.cap),C.show&&It([O],[1],+(i==0),i==0?1:2,i==1?De:Ee,i==1?ke:Oe,Q(C.width*J,3),C.stroke(r,e),C.dash,C.cap)}Yn(`drawAxes`)}function Bt(e){v.forEach((t,n)=>{n>0&&(t._paths=null,e&&(i==1?(t.min=null,t.max=null):t.facets.forEach(e=>{e.min=null,e.max=null})))})}let Vt=!1,Ht=!1,Ut=[];function Wt(){Ht=!1;for(let e=0;e<Ut.length;e++)Yn(...Ut[e]);Ut.length=0}function Gt(){Vt||=(Ta(qt),!0)}function Kt(e,t=!1){Vt=!0,Ht=t,e(r),qt(),t&&Ut.length>0&&queueMicrotask(Wt)}r.batch=Kt;function qt(){if(Ae&&=(Dt(),!1),Me&&=(Re(),!1),je){if(Y(p,Ar,be),Y(p,Or,xe),Y(p,Er,B),Y(p,Dr,V),Y(m,Ar,be),Y(m,Or,xe),Y(m,Er,B),Y(m,Dr,V),Y(f,Er,ve),Y(f,Dr,ye),u.width=Ni(ve*J),u.height=Ni(ye*J),y.forEach(({_el:e,_show:t,_size:n,_pos:r,side:i})=>{if(e!=null){if(t){let t=i===3||i===0?n:0,a=i%2==1;Y(e,a?`left`:`top`,r-t),Y(e,a?`width`:`height`,n),Y(e,a?`top`:`left`,a?xe:be),Y(e,a?`height`:`width`,a?V:B),Qr(e,mr)}else Zr(e,mr)}}),pt=mt=ht=_t=vt=yt=bt=xt=gt=null,St=1,Nn(!0),be!=Se||xe!=Ce||B!=we||V!=Te){Bt(!1);let e=B/we,t=V/Te;if(oe&&!Ne&&N.left>=0){N.left*=e,N.top*=t,Zt&&ni(Zt,Ni(N.left),0,B,V),Qt&&ni(Qt,0,Ni(N.top),B,V);for(let n=0;n<qe.length;n++){let r=qe[n];r!=null&&(Je[n]*=e,Ye[n]*=t,ni(r,Pi(Je[n]),Pi(Ye[n]),B,V))}}if(q.show&&!Pe&&q.left>=0&&q.width>0){q.left*=e,q.width*=e,q.top*=t,q.height*=t;for(let e in In)Y(cn,e,q[e])}Se=be,Ce=xe,we=B,Te=V}Yn(`setSize`),je=!1}ve>0&&ye>0&&(d.clearRect(0,0,u.width,u.height),Yn(`drawClear`),w.forEach(e=>e()),Yn(`draw`)),q.show&&Pe&&(ln(q),Pe=!1),oe&&Ne&&(jn(null,!0,!1),Ne=!1),M.show&&M.live&&Fe&&(kn(),Fe=!1),c||(c=!0,r.status=1,Yn(`ready`)),ut=!1,Vt=!1}r.redraw=(e,t)=>{Me=t||!1,e===!1?Gt():dn(S,D.min,D.max)};function Jt(e,n){let i=b[e];if(i.from==null){if(at==0){let t=i.range(r,n.min,n.max,e);n.min=t[0],n.max=t[1]}if(n.min>n.max){let e=n.min;n.min=n.max,n.max=e}if(at>1&&n.min!=null&&n.max!=null&&n.max-n.min<1e-16)return;e==S&&i.distr==2&&at>0&&(n.min=di(n.min,t[0]),n.max=di(n.max,t[0]),n.min==n.max&&n.max++),A[e]=n,Ae=!0,Gt()}}r.setScale=Jt;let Yt,Xt,Zt,Qt,$t,en,tn,nn,rn,an,U,W,on=!1,G=N.drag,K=G.x,sn=G.y;oe&&(N.x&&(Yt=ei(gr,m)),N.y&&(Xt=ei(_r,m)),D.ori==0?(Zt=Yt,Qt=Xt):(Zt=Xt,Qt=Yt),U=N.left,W=N.top);let q=r.select=ya({show:!0,over:!0,left:0,width:0,top:0,height:0},e.select),cn=q.show?ei(hr,q.over?m:p):null;function ln(e,t){if(q.show){for(let t in e)q[t]=e[t],t in In&&Y(cn,t,e[t]);t!==!1&&Yn(`setSelect`)}}r.setSelect=ln;function un(e){if(v[e].show)P&&Qr(le[e],mr);else if(P&&Zr(le[e],mr),oe){let t=Ke?qe[0]:qe[e];t!=null&&ni(t,-10,-10,B,V)}}function dn(e,t,n){Jt(e,{min:t,max:n})}function fn(e,t,n,a){t.focus!=null&&xn(e),t.show!=null&&v.forEach((n,r)=>{r>0&&(e==r||e==null)&&(n.show=t.show,un(r),i==2?(dn(n.facets[0].scale,null,null),dn(n.facets[1].scale,null,null)):dn(n.scale,null,null),Gt())}),n!==!1&&Yn(`setSeries`,e,t),a&&er(`setSeries`,r,e,t)}r.setSeries=fn;function pn(e,t){ya(x[e],t)}function mn(e,t){e.fill=Z(e.fill||null),e.dir=X(e.dir,-1),t??=x.length,x.splice(t,0,e)}function hn(e){e==null?x.length=0:x.splice(e,1)}r.addBand=mn,r.setBand=pn,r.delBand=hn;function gn(e,t){v[e].alpha=t,oe&&qe[e]!=null&&(qe[e].style.opacity=t),P&&le[e]&&(le[e].style.opacity=t)}let _n,vn,yn,bn={focus:!0};function xn(e){if(e!=yn){let t=e==null,n=We.alpha!=1;v.forEach((r,a)=>{if(i==1||a>0){let i=t||a==0||a==e;r._focus=t?null:i,n&&gn(a,i?1:We.alpha)}}),yn=e,n&&Gt()}}P&&Ge&&ge(Rr,I,e=>{N._lock||(He(e),yn!=null&&fn(null,bn,!0,Zn.setSeries))});function Sn(e,t,n){let r=b[t];n&&(e=e/J-(r.ori==1?xe:be));let i=B;r.ori==1&&(i=V,e=i-e),r.dir==-1&&(e=i-e);let a=r._min,o=r._max,s=e/i,c=a+(o-a)*s,l=r.distr;return l==3?Li(10,c):l==4?Vi(c,r.asinh):l==100?r.bwd(c):c}function Cn(e,n){return di(Sn(e,S,n),t[0],ot,st)}r.valToIdx=e=>di(e,t[0]),r.posToIdx=Cn,r.posToVal=Sn,r.valToPos=(e,t,n)=>b[t].ori==0?a(e,b[t],n?Oe:B,n?Ee:0):o(e,b[t],n?ke:V,n?De:0),r.setCursor=(e,t,n)=>{U=e.left,W=e.top,jn(null,t,n)};function wn(e,t){Y(cn,Ar,q.left=e),Y(cn,Er,q.width=t)}function Tn(e,t){Y(cn,Or,q.top=e),Y(cn,Dr,q.height=t)}let En=D.ori==0?wn:Tn,Dn=D.ori==1?wn:Tn;function On(){if(P&&M.live)for(let e=+(i==2);e<v.length;e++){if(e==0&&fe)continue;let t=M.values[e],n=0;for(let r in t)ue[e][n++].firstChild.nodeValue=t[r]}}function kn(e,t){if(e!=null&&(e.idxs?e.idxs.forEach((e,t)=>{ae[t]=e}):fa(e.idx)||ae.fill(e.idx),M.idx=ae[0]),P&&M.live){for(let e=0;e<v.length;e++)(e>0||i==1&&!fe)&&An(e,ae[e]);On()}Fe=!1,t!==!1&&Yn(`setLegend`)}r.setLegend=kn;function An(e,n){let i=v[e],a=e==0&&O==2?lt:t[e],o;fe?o=i.values(r,e,n)??pe:(o=i.value(r,n==null?null:a[n],e,n),o=o==null?pe:{_:o}),M.values[e]=o}function jn(e,n,a){rn=U,an=W,[U,W]=N.move(r,U,W),N.left=U,N.top=W,oe&&(Zt&&ni(Zt,Ni(U),0,B,V),Qt&&ni(Qt,0,Ni(W),B,V));let o,s=ot>st;_n=Ui,vn=null;let c=D.ori==0?B:V,l=D.ori==1?B:V;if(U<0||at==0||s){o=N.idx=null;for(let e=0;e<v.length;e++){let t=qe[e];t!=null&&ni(t,-10,-10,B,V)}Ge&&fn(null,bn,!0,e==null&&Zn.setSeries),M.live&&(ae.fill(o),Fe=!0)}else{let e,n,a;i==1&&(e=D.ori==0?U:W,n=Sn(e,S),o=N.idx=di(n,t[0],ot,st),a=k(t[0][o],D,c,0));let s=-10,u=-10,d=0,f=0,p=!0,m=``,h=``;for(let e=+(i==2);e<v.length;e++){let g=v[e],_=ae[e],y=_==null?null:i==1?t[e][_]:t[e][1][_],x=N.dataIdx(r,e,o,n),S=x==null?null:i==1?t[e][x]:t[e][1][x];if(Fe=Fe||S!=y||x!=_,ae[e]=x,e>0&&g.show){let n=x==null?-10:x==o?a:k(i==1?t[0][x]:t[e][0][x],D,c,0),_=S==null?-10:ee(S,i==1?b[g.scale]:b[g.facets[1].scale],l,0);if(Ge&&S!=null){let t=D.ori==1?U:W,n=ji(We.dist(r,e,x,_,t));if(n<_n){let r=We.bias;if(r!=0){let i=Sn(t,g.scale),a=S>=0?1:-1,o=i>=0?1:-1;o==a&&(o==1?r==1?S>=i:S<=i:r==1?S<=i:S>=i)&&(_n=n,vn=e)}else _n=n,vn=e}}if(Fe||Ke){let t,i;D.ori==0?(t=n,i=_):(t=_,i=n);let a,o,c,l,g,v,y=!0,b=Ue.bbox;if(b!=null){y=!1;let t=b(r,e);c=t.left,l=t.top,a=t.width,o=t.height}else c=t,l=i,a=o=Ue.size(r,e);if(v=Ue.fill(r,e),g=Ue.stroke(r,e),Ke)e==vn&&_n<=We.prox&&(s=c,u=l,d=a,f=o,p=y,m=v,h=g);else{let t=qe[e];t!=null&&(Je[e]=c,Ye[e]=l,oi(t,a,o,y),ii(t,v,g),ni(t,Pi(c),Pi(l),B,V))}}}}if(Ke){let e=We.prox;if(Fe||(yn==null?_n<=e:_n>e||vn!=yn)){let e=qe[0];e!=null&&(Je[0]=s,Ye[0]=u,oi(e,d,f,p),ii(e,m,h),ni(e,Pi(s),Pi(u),B,V))}}}if(q.show&&on){if(e!=null){let[t,n]=Zn.scales,[r,i]=Zn.match,[a,o]=e.cursor.sync.scales,s=e.cursor.drag;if(K=s._x,sn=s._y,K||sn){let{left:s,top:u,width:d,height:f}=e.select,p=e.scales[a].ori,m=e.posToVal,h,g,_,v,y,x=t!=null&&r(t,a),S=n!=null&&i(n,o);x&&K?(p==0?(h=s,g=d):(h=u,g=f),_=b[t],v=k(m(h,a),_,c,0),y=k(m(h+g,a),_,c,0),En(Fi(v,y),ji(y-v))):En(0,c),S&&sn?(p==1?(h=s,g=d):(h=u,g=f),_=b[n],v=ee(m(h,o),_,l,0),y=ee(m(h+g,o),_,l,0),Dn(Fi(v,y),ji(y-v))):Dn(0,l)}else Ln()}else{let e=ji(rn-$t),t=ji(an-en);if(D.ori==1){let n=e;e=t,t=n}K=G.x&&e>=G.dist,sn=G.y&&t>=G.dist;let n=G.uni;n==null?G.x&&G.y&&(K||sn)&&(K=sn=!0):K&&sn&&(K=e>=n,sn=t>=n,!K&&!sn&&(t>e?sn=!0:K=!0));let r,i;K&&(D.ori==0?(r=tn,i=U):(r=nn,i=W),En(Fi(r,i),ji(i-r)),sn||Dn(0,l)),sn&&(D.ori==1?(r=tn,i=U):(r=nn,i=W),Dn(Fi(r,i),ji(i-r)),K||En(0,c)),!K&&!sn&&(En(0,0),Dn(0,0))}}if(G._x=K,G._y=sn,e==null){if(a){if(Qn!=null){let[e,t]=Zn.scales;Zn.values[0]=e==null?null:Sn(D.ori==0?U:W,e),Zn.values[1]=t==null?null:Sn(D.ori==1?U:W,t)}er(Pr,r,U,W,B,V,o)}if(Ge){let e=a&&Zn.setSeries,t=We.prox;yn==null?_n<=t&&fn(vn,bn,!0,e):_n>t?fn(null,bn,!0,e):vn!=yn&&fn(vn,bn,!0,e)}}Fe&&(M.idx=o,kn()),n!==!1&&Yn(`setCursor`)}let Mn=null;Object.defineProperty(r,"rect",{get(){return Mn??Nn(!1),Mn}});function Nn(e=!1){e?Mn=null:(Mn=m.getBoundingClientRect(),Yn(`syncRect`,Mn))}function Pn(e,t,n,r,i,a,o){N._lock||on&&e!=null&&e.movementX==0&&e.movementY==0||(Fn(e,t,n,r,i,a,o,!1,e!=null),e==null?jn(t,!0,!1):jn(null,!0,!0))}function Fn(e,t,n,i,a,o,c,l,u){if(Mn??Nn(!1),He(e),e!=null)n=e.clientX-Mn.left,i=e.clientY-Mn.top;else{if(n<0||i<0){U=-10,W=-10;return}let[e,r]=Zn.scales,c=t.cursor.sync,[l,u]=c.values,[d,f]=c.scales,[p,m]=Zn.match,h=t.axes[0].side%2==1,g=D.ori==0?B:V,_=D.ori==1?B:V,v=h?o:a,y=h?a:o,x=h?i:n,S=h?n:i;if(n=d==null?x/v*g:p(e,d)?s(l,b[e],g,0):-10,i=f==null?S/y*_:m(r,f)?s(u,b[r],_,0):-10,D.ori==1){let e=n;n=i,i=e}}u&&(t==null||t.cursor.event.type==Pr)&&((n<=1||n>=B-1)&&(n=ta(n,B)),(i<=1||i>=V-1)&&(i=ta(i,V))),l?($t=n,en=i,[tn,nn]=N.move(r,n,i)):(U=n,W=i)}let In={width:0,height:0,left:0,top:0};function Ln(){ln(In,!1)}let Rn,zn,Bn,Vn;function Hn(e,t,n,i,a,o,s){on=!0,K=sn=G._x=G._y=!1,Fn(e,t,n,i,a,o,s,!0,!1),e!=null&&(ge(Ir,Kr,Un,!1),er(Fr,r,tn,nn,B,V,null));let{left:c,top:l,width:u,height:d}=q;Rn=c,zn=l,Bn=u,Vn=d}function Un(e,t,n,i,a,o,s){on=G._x=G._y=!1,Fn(e,t,n,i,a,o,s,!1,!0);let{left:c,top:l,width:u,height:d}=q,f=u>0||d>0,p=Rn!=c||zn!=l||Bn!=u||Vn!=d;if(f&&p&&ln(q),G.setScale&&f&&p){let e=c,t=u,n=l,r=d;if(D.ori==1&&(e=l,t=d,n=c,r=u),K&&dn(S,Sn(e,S),Sn(e+t,S)),sn)for(let e in b){let t=b[e];e!=S&&t.from==null&&t.min!=Ui&&dn(e,Sn(n+r,e),Sn(n,e))}Ln()}else N.lock&&(N._lock=!N._lock,jn(t,!0,e!=null));e!=null&&(_e(Ir,Kr),er(Ir,r,U,W,B,V,null))}function Wn(e,t,n,r,i,a,o){if(N._lock)return;He(e);let s=on;if(on){let e=!0,t=!0,n,r;D.ori==0?(n=K,r=sn):(n=sn,r=K),n&&r&&(e=U<=10||U>=B-10,t=W<=10||W>=V-10),n&&e&&(U=U<tn?0:B),r&&t&&(W=W<nn?0:V),jn(null,!0,!0),on=!1}U=-10,W=-10,ae.fill(null),jn(null,!0,!0),s&&(on=s)}function Gn(e,t,n,i,a,o,s){N._lock||(He(e),ft(),Ln(),e!=null&&er(zr,r,U,W,B,V,null))}function Kn(){y.forEach(ic),Ie(r.width,r.height,!0)}li(Ur,qr,Kn);let qn={};qn.mousedown=Hn,qn.mousemove=Pn,qn.mouseup=Un,qn.dblclick=Gn,qn.setSeries=(e,t,n,i)=>{let a=Zn.match[2];n=a(r,t,n),n!=-1&&fn(n,i,!0,!1)},oe&&(ge(Fr,m,Hn),ge(Pr,m,Pn),ge(Lr,m,e=>{He(e),Nn(!1)}),ge(Rr,m,Wn),ge(zr,m,Gn),Hs.add(r),r.syncRect=Nn);let Jn=r.hooks=e.hooks||{};function Yn(e,t,n){Ht?Ut.push([e,t,n]):e in Jn&&Jn[e].forEach(e=>{e.call(null,r,t,n)})}(e.plugins||[]).forEach(e=>{for(let t in e.hooks)Jn[t]=(Jn[t]||[]).concat(e.hooks[t])});let Xn=(e,t,n)=>n,Zn=ya({key:null,setSeries:!1,filters:{pub:Zi,sub:Zi},scales:[S,v[1]?v[1].scale:null],match:[Qi,Qi,Xn],values:[null,null]},N.sync);Zn.match.length==2&&Zn.match.push(Xn),N.sync=Zn;let Qn=Zn.key,$n=ls(Qn);function er(e,t,n,r,i,a,o){Zn.filters.pub(e,t,n,r,i,a,o)&&$n.pub(e,t,n,r,i,a,o)}$n.sub(r);function tr(e,t,n,r,i,a,o){Zn.filters.sub(e,t,n,r,i,a,o)&&qn[e](null,t,n,r,i,a,o)}r.pub=tr;function nr(){$n.unsub(r),Hs.delete(r),z.clear(),ui(Ur,qr,Kn),l.remove(),I?.remove(),Yn(`destroy`)}r.destroy=nr;function rr(){Yn(`init`,e,t),dt(t||e.data,!1),A[S]?Jt(S,A[S]):ft(),Pe=q.show&&(q.width>0||q.height>0),Ne=Fe=!0,Ie(e.width,e.height)}return v.forEach(Ze),y.forEach(tt),n?n instanceof HTMLElement?(n.appendChild(l),rr()):n(r,rr):rr(),r}ac.assign=ya,ac.fmtNum=Oi,ac.rangeNum=wi,ac.rangeLog=vi,ac.rangeAsinh=yi,ac.orient=fs,ac.pxRatio=J,ac.join=wa,ac.fmtDate=La,ac.tzDate=za,ac.sync=ls;{ac.addGap=_s,ac.clipGaps=gs;let e=ac.paths={points:js};e.linear=Fs,e.stepped=Is,e.bars=Rs,e.spline=Bs}var oc=`.uplot,.uplot *,.uplot :before,.uplot :after{box-sizing:border-box}.uplot{width:min-content;font-family:system-ui,-apple-system,Segoe UI,Roboto,Helvetica Neue,Arial,Noto Sans,sans-serif,Apple Color Emoji,Segoe UI Emoji,Segoe UI Symbol,Noto Color Emoji;line-height:1.5}.u-title{text-align:center;font-size:18px;font-weight:700}.u-wrap{-webkit-user-select:none;user-select:none;position:relative}.u-over,.u-under{position:absolute}.u-under{overflow:hidden}.uplot canvas{width:100%;height:100%;display:block;position:relative}.u-axis{position:absolute}.u-legend{text-align:center;margin:auto;font-size:14px}.u-inline{display:block}.u-inline *{display:inline-block}.u-inline tr{margin-right:16px}.u-legend th{font-weight:600}.u-legend th>*{vertical-align:middle;display:inline-block}.u-legend .u-marker{width:1em;height:1em;margin-right:4px;background-clip:padding-box!important}.u-inline.u-live th:after{content:":";vertical-align:middle}.u-inline:not(.u-live) .u-value{display:none}.u-series>*{padding:4px}.u-series th{cursor:pointer}.u-legend .u-off>*{opacity:.3}.u-select{pointer-events:none;background:#00000012;position:absolute}.u-cursor-x,.u-cursor-y{pointer-events:none;will-change:transform;position:absolute;top:0;left:0}.u-hz .u-cursor-x,.u-vt .u-cursor-y{border-right:1px dashed #607d8b;height:100%}.u-hz .u-cursor-y,.u-vt .u-cursor-x{border-bottom:1px dashed #607d8b;width:100%}.u-cursor-pt{pointer-events:none;will-change:transform;border:0 solid;border-radius:50%;position:absolute;top:0;left:0;background-clip:padding-box!important}.u-axis.u-off,.u-select.u-off,.u-cursor-x.u-off,.u-cursor-y.u-off,.u-cursor-pt.u-off{display:none}`,sc=[{title:`Memory that remains`,height:150,show:gt,curves:[{label:`Remaining`,column:`remaining`,tone:`--busy`,fill:!0}]},{title:`Transfer and dirty rate`,height:130,show:_t,curves:[{label:`Transfer`,column:`rate`,tone:`--good`},{label:`Dirtied`,column:`dirty`,tone:`--warn`,dash:[5,4]}]},{title:`Downtime to expect`,height:140,show:vt,tops:!0,curves:[{label:`Downtime`,column:`downtime`,tone:`--note`}]}],cc=Array.from({length:60},(e,t)=>2**t),lc=1.08,uc=0,dc=class extends je{constructor(...e){super(...e),this.plots=[],this.resized=new ResizeObserver(()=>this.fit()),this.scheme=matchMedia(`(prefers-color-scheme: dark)`),this.width=0,this.cursor=null,this.together=`waypost-${uc+=1}`,this.recolour=()=>{this.drop(),this.requestUpdate()}}static{this.properties={series:{attribute:!1},length:{attribute:!1}}}static{this.styles=[d(oc),rn,f`
      :host {
        color-scheme: inherit;
      }
      figure + figure {
        margin-top: 10px;
      }
      figcaption {
        display: flex;
        flex-wrap: wrap;
        gap: 2px 14px;
        justify-content: space-between;
        align-items: baseline;
        font-size: var(--t-xs);
        color: var(--soft);
        min-height: 18px;
      }
      figcaption b {
        font-weight: 550;
        color: var(--text);
      }
      .key {
        display: inline-flex;
        align-items: center;
        gap: 5px;
        margin-inline-start: 12px;
        white-space: nowrap;
      }
      .key i {
        width: 14px;
        border-top: 2px solid var(--tone);
      }
      .key.dashed i {
        border-top-style: dashed;
      }
      .key output {
        color: var(--text);
        min-width: 5.5em;
        text-align: end;
      }
      .remaining {
        --tone: var(--busy);
      }
      .rate {
        --tone: var(--good);
      }
      .dirty {
        --tone: var(--warn);
      }
      .downtime {
        --tone: var(--note);
      }
      .canvas {
        overflow: hidden;
      }
      .u-hz .u-cursor-x,
      .u-vt .u-cursor-y {
        border-color: var(--line-strong);
      }
    `]}connectedCallback(){super.connectedCallback(),this.scheme.addEventListener(`change`,this.recolour),addEventListener(an,this.recolour),this.resized.observe(this)}disconnectedCallback(){super.disconnectedCallback(),this.scheme.removeEventListener(`change`,this.recolour),removeEventListener(an,this.recolour),this.resized.disconnect(),this.drop()}updated(e){this.plots.length?this.plots.forEach((e,t)=>e.setData(this.data(sc[t]))):this.draw()}data(e){let t=this.series;return t?[t.at,...e.curves.map(e=>t[e.column])]:[[],...e.curves.map(()=>[])]}draw(){if(this.width=this.clientWidth,!this.width)return;let e=this.renderRoot.querySelector(`.probe`),t=t=>(e.style.color=`var(${t})`,getComputedStyle(e).color),n=`11px ${getComputedStyle(this).fontFamily}`,[r,i]=[t(`--line`),t(`--soft`)],a=t=>(e.style.color=`color-mix(in srgb, var(${t}) 16%, transparent)`,getComputedStyle(e).color);this.plots=sc.map((e,o)=>{let s={stroke:i,font:n,grid:{stroke:r,width:1},ticks:{show:!1}},c={width:this.width,height:e.height,padding:[8,12,0,0],legend:{show:!1},cursor:{sync:{key:this.together},points:{size:6},drag:{x:!1,y:!1}},scales:{x:{time:!1,range:(e,t,n)=>[t??0,Math.max(n??0,(t??0)+5)]},y:{range:(e,t,n)=>[0,n>0?n*lc:1]}},axes:[{...s,size:24,space:70,values:(e,t)=>t.map(e=>e===0?`0`:vt(e*1e3).replace(`.0`,``))},{...s,size:72,space:34,...e.tops?{splits:(e,t,n,r)=>[0,r/lc/2,r/lc]}:{incrs:cc},values:(t,n)=>n.map(e.show)}],series:[{},...e.curves.map(e=>({stroke:t(e.tone),width:1.75,spanGaps:!1,points:{show:!1},...e.fill?{fill:a(e.tone)}:{},...e.dash?{dash:e.dash}:{}}))],hooks:{setCursor:[e=>{let t=e.cursor.idx??null;o===0&&t!==this.cursor&&(this.cursor=t,this.requestUpdate())}]}},l=this.renderRoot.querySelectorAll(`.canvas`)[o];return new ac(c,this.data(e),l)})}drop(){for(let e of this.plots)e.destroy();this.plots=[]}fit(){let e=this.clientWidth;if(e&&e!==this.width){if(!this.plots.length)return this.requestUpdate();this.width=e,this.plots.forEach((t,n)=>t.setSize({width:e,height:sc[n].height}))}}render(){let e=(this.series?.length??0)-1,t=this.cursor!==null&&this.cursor<=e?this.cursor:e;return L`<span class="probe" hidden></span>
      ${sc.map(e=>L`<figure aria-hidden="true">
          <figcaption>
            <b>${e.title}</b>
            <span>
              ${e.curves.map(n=>{let r=this.series?.[n.column][t];return L`<span class="key ${n.column} ${n.dash?`dashed`:``}">
                  <i></i>${n.label}
                  <output>${r==null?`–`:e.show(r)}</output>
                </span>`})}
            </span>
          </figcaption>
          <div class="canvas"></div>
        </figure>`)}`}};customElements.define(`waypost-plot`,dc);var fc=class extends G{static{this.properties={task:{type:String,attribute:`id`},bare:{type:Boolean,reflect:!0},asked:{state:!0},busy:{state:!0},problem:{state:!0},said:{state:!0}}}static{this.styles=[G.styles,f`
      .frame {
        padding: 16px 18px 18px;
      }
      :host([bare]) .frame {
        border: 0;
        box-shadow: none;
        background: transparent;
        padding: 10px 0 0;
      }
      .top {
        align-items: flex-start;
        gap: 10px 16px;
      }
      .title {
        display: flex;
        gap: 10px;
        align-items: center;
        flex-wrap: wrap;
      }
      .title svg {
        color: var(--soft);
      }
      /* As high while it runs as when it has ended well: what is below stays where it is. */
      .now {
        min-height: 44px;
        display: grid;
        align-content: center;
      }
      .how {
        display: grid;
        grid-template-columns: 1fr auto;
        gap: 6px 12px;
        align-items: baseline;
      }
      .how .bar {
        grid-column: 1 / -1;
        height: 8px;
      }
      .columns {
        display: grid;
        grid-template-columns: minmax(0, 1.7fr) minmax(250px, 1fr);
        gap: 18px 28px;
        align-items: start;
      }
      @container (max-width: 780px) {
        .columns {
          grid-template-columns: minmax(0, 1fr);
        }
      }
      .columns.even {
        grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
      }
      @container (max-width: 780px) {
        .columns.even {
          grid-template-columns: minmax(0, 1fr);
        }
      }
      .plots {
        min-height: 500px;
      }
      .figures {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(118px, 1fr));
        gap: 10px 14px;
      }
      .figures dt {
        font-size: var(--t-xs);
        color: var(--soft);
      }
      .figures dd {
        font-size: var(--t-l);
        font-weight: 600;
        white-space: nowrap;
      }
      section {
        display: grid;
        gap: 8px;
      }
      section + section {
        margin-top: 20px;
      }
      details.tile {
        border-top: 1px solid var(--line);
        padding-top: 10px;
      }
      details.tile > summary {
        font-size: var(--t-s);
        font-weight: 600;
        min-height: 24px;
      }
      .inside {
        margin-top: 10px;
      }
      .sides {
        display: grid;
        grid-template-columns: 1fr 1fr;
        gap: 10px;
      }
      .sides > div {
        border: 1px solid var(--line);
        border-radius: var(--r-m);
        padding: 8px 10px;
        font-size: var(--t-s);
        overflow-wrap: anywhere;
      }
      ul.causes {
        list-style: disc;
        padding-inline-start: 18px;
      }
    `]}constructor(){super(),this.first=new K(this,()=>this.live.look(this.task)),this.records=new K(this,()=>this.client.records(this.task)),this.situation=new K(this,()=>this.client.situation(this.task)),this.recordsOpen=!1,this.shown=null,this.past=null,this.bare=!1,this.asked=null,this.busy=!1,this.problem=null,this.said=``}get follows(){return!0}served(){this.begin()}willUpdate(e){super.willUpdate(e),this.hasUpdated&&e.has(`task`)&&this.begin(),this.follow()}back(){this.first.problem&&this.first.reload(),this.known&&this.live.fill(this.known)}begin(){for(let e of[this.first,this.records,this.situation])e.reset();this.seen=void 0,this.shown=null,this.past=null,this.said=``,this.problem=null,this.task&&this.first.reload()}get known(){return this.task?this.live.tasks.get(this.task):void 0}follow(){let e=this.known,t=this.seen;if(e&&e!==t){if(this.seen=e,(e.id!==t?.id||e.attempt!==t.attempt)&&this.live.fill(e).then(()=>{this.past=e.id,this.requestUpdate()}),t&&We(t)!==We(e)){let t=Pt(We(e)).label;this.said=`${e.domain}: ${t}. ${e.outcome?.summary??``}`,this.situation.value&&this.situation.reload(),e.ended&&this.tell(`waypost-ended`,{task:e.id,outcome:e.ended})}t&&t.updatedAt!==e.updatedAt&&this.recordsOpen&&this.records.reload(),t&&t.ended===e.ended||!e.ended||e.outcome||this.first.reload()}}whole(e){let t=e.requestedBy!==null&&this.live.who!==null&&(!e.ended||this.past===e.id),n=this.first.problem!==null||this.live.link.state===`lost`||this.live.link.state===`denied`;return(t||n)&&(this.shown=e.id),this.shown===e.id}render(){if(!this.task)return L`<p class="soft">This element needs the attribute <code>id</code>: a task’s id.</p>`;let e=this.known;return L`<article class="frame panel stack" aria-label=${e?`Migration of ${e.domain}`:`Migration`}>
      <span class="hidden" role="status" aria-live="polite">${this.said}</span>
      ${this.linkNote()}
      ${e&&this.whole(e)?this.body(e):this.first.problem?this.problemNote(this.first.problem,`The migration could not be read`,()=>void this.first.reload()):nn(6)}
    </article>`}body(e){let t=We(e),n=Pt(t),r=this.live.series.get(e.id),i=!e.ended||!!r?.length;return L`
      <header class="row spread top">
        <div class="stack">
          <h2 class="title"><span class="break">${e.domain}</span>${Yt(t)}</h2>
          <p class="row small"><span>${e.source??`source not known yet`}</span>${H(`arrow`)}<span class="hidden">to</span><span>${e.destination}</span></p>
        </div>
        <div class="row">${ct(this.live.who,e)?this.controls(e):z}</div>
      </header>
      ${this.problem?this.problemNote(this.problem.problem,this.problem.attempted):z}
      <div class="now">${e.ended?this.end(e):L`<div class="how">
              <span class="small break">${e.message??n.label}</span>
              <strong>${e.queued?Ft(e.place,ut(this.live.who)?this.live.waiting:null):yt(e.progress)}</strong>
              ${$t(e.progress,n.tone,`Progress of ${e.domain}`)}
            </div>`}</div>
      <div class="columns ${i?``:`even`}">
        <div>
          ${i?z:this.open(e)?this.bothSides(e):e.sample?nr(e):z}
          ${i?L`<section aria-label="Course">
            <div class="plots">
              ${r?.length?L`<waypost-plot .series=${r} .length=${r.length}></waypost-plot>`:L`<p class="soft small">The plot begins with the first reading of the transfer.</p>`}
            </div>
          </section>`:z}
        </div>
        <div>
          ${i?nr(e):z}
          <section aria-label="Facts">
            <dl class="facts">
              <dt>Phase</dt><dd>${Kt(e.phase)}</dd>
              <dt>Attempt</dt><dd>${e.attempt}</dd>
              ${e.requestedBy?L`<dt>Asked for by</dt><dd>${e.requestedBy}</dd>`:z}
              <dt>Begun</dt><dd>${Qt(e.createdAt)}</dd>
              ${e.ended?L`<dt>Ended</dt><dd>${Qt(e.updatedAt)}</dd>`:z}
              ${e.targetUri?L`<dt>Goes to</dt><dd class="mono">${e.targetUri}</dd>`:z}
              <dt>Task</dt><dd class="mono">${e.id}</dd>
            </dl>
          </section>
          ${i&&this.open(e)?this.bothSides(e):z}
        </div>
      </div>
      ${this.more(e)}
      ${this.asked?this.dialog(e,this.asked):z}
    `}end(e){let t=Pt(e.ended),n=e.outcome;return L`<div class="callout ${t.tone}">
      ${H(t.icon)}
      <strong class="break">${n?.summary??t.label}</strong>
      ${n?.causes.length?L`<ul class="causes">${n.causes.map(e=>L`<li>${e}</li>`)}</ul>`:z}
      ${n?.remedy?L`<span><span class="soft">What helps:</span> ${n.remedy}</span>`:z}
    </div>`}controls(e){return L`${Zn(e).map(e=>L`<button
        class=${e.icon===`stop`&&e.leave?`danger`:``}
        aria-disabled=${e.barred?`true`:`false`}
        title=${e.barred??e.says}
        @click=${()=>{e.barred||this.ask(e,!0)}}
      >
        ${H(e.icon)}${e.label}
      </button>`)}`}ask(e,t=!1){this.asked={wish:e,standing:t,number:null,choice:e.choice?.of[0]?.value??null,why:``}}dialog(e,t){let n=t.standing?pc(e,t.wish):t.wish,{number:r,choice:i}=n,a=this.busy?void 0:n.barred,o=r?.least??1,s=!r||t.number!==null&&t.number>=o&&t.number<=r.most;return L`<waypost-dialog .heading=${`${n.label}: ${e.domain}`} .busy=${this.busy} @done=${()=>this.asked=null}>
      <div class="stack">
        <p role="status">${a??n.says}</p>
        ${n.warns&&!a?L`<div class="callout warn">${H(`alert`)}<span>${n.warns}</span></div>`:z}
        ${r?L`<label class="field">${r.label}<input type="number" min=${o} max=${r.most} autofocus
                @input=${e=>this.asked={...t,number:Number(e.target.value)}} /></label>`:z}
        ${i?L`<label class="field">${i.label}<select
                @change=${e=>this.asked={...t,choice:e.target.value}}>
                ${i.of.map(e=>L`<option value=${e.value} ?selected=${e.value===t.choice}>${e.label}</option>`)}
              </select></label>`:z}
        ${An(t.why,e=>this.asked={...t,why:e},this.busy)}
      </div>
      <button slot="actions" ?disabled=${this.busy} @click=${()=>this.asked=null}>${n.leave??`Leave it`}</button>
      <button slot="actions" class="primary ${n.grave?`danger`:``}" ?disabled=${this.busy||!s||!!a}
        @click=${()=>void this.doIt(n,{number:t.number??0,choice:t.choice??``,why:t.why})}>${H(n.icon)}${n.label}</button>
    </waypost-dialog>`}async doIt(t,n){this.busy=!0,this.problem=null;try{let e=await t.run(this.client,this.task,n);this.said=`${t.label}: asked for`,e&&this.tell(`waypost-created`,{task:e})}catch(n){let r=e.of(n);this.problem={attempted:r.unsettled?`It is not known whether “${t.label}” was done`:`${t.label} was not done`,problem:r}}this.busy=!1,this.asked=null,this.situation.value&&this.situation.reload(),this.live.look(this.task).catch(()=>{})}open(e){return e.ended===`stuck`||e.phase===`locating`||e.phase===`recovering`}bothSides(e){let{value:t,problem:n,loading:r}=this.situation;return L`<section aria-label="Both hosts">
      <div class="row spread">
        <h3>What both hosts say</h3>
        <button @click=${()=>void this.situation.reload()} ?disabled=${r}>
          ${H(`search`)}${r?`Looking…`:t?`Look again`:`Look now`}
        </button>
      </div>
      ${n?this.problemNote(n,`The hosts could not be looked at`):z}
      ${t?L`<div class="sides">
                <div><span class="tiny soft">Source, ${e.source}</span>${mc(t.source)}</div>
                <div><span class="tiny soft">Destination, ${e.destination}</span>${mc(t.destination)}</div>
              </div>
              <p class="small soft">${t.why}</p>
              ${ct(this.live.who,e)?L`<div class="row">
                      ${t.permitted.map(e=>{let n=tr(e,t.networks);return L`<button class=${n.grave?`danger`:``} @click=${()=>this.ask(n)}>${n.label}</button>`})}
                    </div>`:t.permitted.length?L`<p class="small">Permitted: ${t.permitted.map(e=>Ut(e).label).join(`, `)}. <span class="soft">Your role or reach does not include it.</span></p>`:z}
              ${t.withheld.length?L`<details class="small"><summary>Not permitted, and why</summary>
                      <dl class="facts">${t.withheld.map(e=>L`<dt>${Ut(e.action).label}</dt><dd>${e.why}</dd>`)}</dl>
                    </details>`:z}`:L`<p class="small soft">Nothing is done by looking. What is permitted is offered afterwards.</p>`}
    </section>`}more(e){let{value:t,problem:n}=this.records;return L`<details class="tile" @toggle=${e=>{this.recordsOpen=e.target.open,this.recordsOpen&&this.records.reload()}}>
      <summary>Records and decisions</summary>
      <div class="inside stack">
        ${n?this.problemNote(n,`The records could not be read`,()=>void this.records.reload()):z}
        ${t?L`${rr(t.journal)}
                <h3>What policies decided</h3>
                <waypost-decisions .decisions=${t.decisions} .task=${e.id}></waypost-decisions>`:n?z:nn(4)}
      </div>
    </details>`}};function pc(e,t){return Zn(e).find(e=>e.label===t.label)??{...t,barred:`The migration is over.`}}function mc(e){switch(e.domain){case`unknown`:return L`<p class="toned warn"><strong>Can’t be asked</strong></p><p class="tiny">${e.why}</p>`;case`absent`:return L`<p><strong>Not there</strong></p>`;case`present`:return L`<p><strong>${Kt(e.state)}</strong> <span class="soft">(${e.reason})</span></p>
        <p class="tiny soft">${e.name}; ${e.persistent?`defined`:`not defined`}${e.job?`; a job runs on it`:``}</p>
        ${(e.disk_errors??[]).map(e=>L`<p class="tiny toned bad">${H(`alert`)} Disk ${e}</p>`)}`}}customElements.define(`waypost-migration`,fc);var hc=[`completed`,`refused`,`rolled-back`,`cancelled`,`stuck`,`lost`],gc=class extends G{static{this.properties={state:{type:String},domain:{type:String},host:{type:String},limit:{type:Number},link:{type:String},compact:{type:Boolean,reflect:!0},mute:{type:Boolean},chosen:{state:!0},sought:{state:!0},open:{state:!0},more:{state:!0},problem:{state:!0}}}static{this.styles=[G.styles,f`
      .tools {
        padding: 10px 12px;
        border-bottom: 1px solid var(--line);
      }
      .list:not([hidden]) {
        min-height: 56px;
      }
      .task {
        border-bottom: 1px solid var(--line);
      }
      .task:last-child {
        border-bottom: 0;
      }
      .line {
        all: unset;
        box-sizing: border-box;
        width: 100%;
        padding: 9px 14px;
        min-height: 46px;
        cursor: pointer;
        font-size: var(--t-s);
      }
      .line,
      .heads {
        display: grid;
        grid-template-columns: minmax(9rem, 1fr) minmax(8rem, 0.8fr) 11rem minmax(9rem, 2.2fr) 7.5rem;
        gap: 2px 14px;
        align-items: center;
      }
      .heads {
        padding: 6px 14px;
        border-bottom: 1px solid var(--line);
        color: var(--soft);
        font-size: var(--t-xs);
        font-weight: 550;
      }
      .heads[hidden] {
        display: none;
      }
      .line:hover {
        background: var(--hover);
      }
      .line:focus-visible {
        box-shadow: inset 0 0 0 2px var(--accent);
        border-radius: var(--r-s);
      }
      .name {
        font-weight: 600;
        font-size: var(--t-m);
      }
      .way {
        display: flex;
        gap: 6px;
        align-items: center;
      }
      .way svg {
        color: var(--soft);
        font-size: 12px;
      }
      .time {
        text-align: end;
      }
      .figures {
        display: grid;
        gap: 4px;
        min-width: 0;
      }
      .detail {
        padding: 4px 14px 16px;
        background: var(--sunken);
        border-top: 1px solid var(--line);
      }
      .foot {
        padding: 8px;
        text-align: center;
        border-top: 1px solid var(--line);
      }
      .margin {
        margin: 10px 12px;
      }
      .margin:not(:has(> *)) {
        display: none;
      }
      :host([compact]) .line {
        grid-template-columns: minmax(0, 1fr) auto;
        min-height: 74px;
        padding: 9px 12px;
      }
      :host([compact]) .figures {
        grid-column: 1 / -1;
      }
      :host([compact]) .time {
        display: none;
      }
      :host([compact]) .state {
        grid-row: 1;
        grid-column: 2;
        justify-self: end;
      }
      :host([compact]) .way {
        grid-column: 1 / -1;
      }
      @container (max-width: 760px) {
        .heads {
          display: none;
        }
        .line {
          grid-template-columns: minmax(0, 1fr) auto;
          padding: 10px 12px;
        }
        .state {
          grid-row: 1;
          grid-column: 2;
          justify-self: end;
        }
        .figures {
          grid-column: 1 / -1;
        }
        .time {
          grid-row: 2;
          grid-column: 2;
        }
      }
    `]}constructor(){super(),this.older=[],this.cursor=null,this.asked=``,this.loading=!1,this.running=new Set,this.said=``,this.limit=50,this.compact=!1,this.mute=!1,this.chosen=``,this.sought=``,this.open=null,this.more=!1,this.problem=null}get follows(){return!0}served(){this.asked=``}willUpdate(e){super.willUpdate(e);let t=JSON.stringify([this.live.era,this.states,this.domain,this.host,this.sought]);this.older=Ke(this.older,this.live.tasks,this.live.gone),t!==this.asked&&(this.asked=t,this.older=[],this.cursor=null,this.load())}back(){this.problem&&this.load()}get states(){let e=this.state||this.chosen;return e?e.split(`,`).map(e=>e.trim()):[]}async load(){let t=this.asked;this.loading=!0,this.problem=null;try{let e=await this.client.tasks({states:this.states,limit:this.limit,...this.domain||this.sought?{domain:this.domain||this.sought}:{},...this.host?{host:this.host}:{},...this.cursor?{cursor:this.cursor}:{}});if(t!==this.asked)return;let n=new Set(this.older.map(e=>e.id));this.older.push(...e.tasks.filter(e=>!n.has(e.id)).map(e=>ze(e))),this.cursor=e.next,this.more=e.next!==null}catch(n){t===this.asked&&(this.problem=e.of(n))}this.loading=!1,this.requestUpdate()}fits(e){let t=this.states;return this.concerns(e)&&(!t.length||t.includes(e.ended??`unfinished`)||t.includes(e.phase))}concerns(e){let t=this.domain||this.sought;return(!t||e.domain===t||e.domainId===t)&&(!this.host||e.source===this.host||e.destination===this.host)}get tasks(){let e=new Map(this.older.map(e=>[e.id,e])),t=this.older.at(-1);for(let n of this.live.tasks.values())(!this.more||!t||qe(n,t)<=0||e.has(n.id))&&e.set(n.id,n);let n=[...e.values()].filter(e=>this.fits(e)).sort(qe);return this.compact?n.slice(0,this.limit):n}follow(e){let t=e.filter(e=>e.ended&&this.running.has(e.id)&&this.concerns(e)&&this.tellsOf(e.ended));t.length&&!this.mute&&(this.said=t.map(e=>`${e.domain}: ${Pt(e.ended).label}`).join(`. `)),this.running=new Set(e.filter(e=>!e.ended).map(e=>e.id))}tellsOf(e){let t=this.states;return!t.length||t.some(t=>t===e||!hc.includes(t))}render(){let e=this.tasks;return this.follow([...this.live.tasks.values()]),L`<section class="panel" aria-label=${this.state===`unfinished`?`Migrations under way`:`Migrations`}>
      <span class="hidden" role="status">${this.said}</span>
      ${this.compact?z:this.tools()}
      <div class="margin">${this.linkNote()}</div>
      ${this.problem&&!this.live.listed?z:this.problem?L`<div class="margin">${this.problemNote(this.problem,`The migrations could not be read`,()=>void this.load())}</div>`:z}
      ${this.compact?z:L`<div class="heads" aria-hidden="true" ?hidden=${!e.length}>
              <span>Domain</span><span>From and to</span><span>State</span><span>How far, or what came of it</span><span class="time">Begun</span>
            </div>`}
      <ul class="list" ?hidden=${!e.length}>
        ${yn(e,e=>e.id,e=>this.line(e))}
      </ul>
      ${e.length?z:this.nothing()}
      ${this.more&&!this.compact?L`<div class="foot"><button class="quiet" ?disabled=${this.loading} @click=${()=>void this.load()}>
              ${this.loading?`Reading…`:`Older migrations`}
            </button></div>`:z}
    </section>`}nothing(){return this.loading||!this.live.listed&&!this.problem?L`<div class="margin">${nn(3)}</div>`:this.problem?tn(`unlinked`,`Not known`,`The service does not answer.`):this.state===`unfinished`?tn(`moves`,`Nothing is moving`,`A migration that begins appears here.`):this.state?tn(`moves`,`None yet`,`A migration that ends appears here.`):this.chosen||this.sought?tn(`search`,`No such migration`,`None fits what is chosen above.`):tn(`moves`,`No migrations yet`,`Those that begin, here or by the command, appear at once.`)}tools(){return L`<div class="tools row">
      ${this.state?z:L`<label><span class="hidden">State</span>
              <select @change=${e=>this.chosen=e.target.value}>
                <option value="">All states</option>
                <option value="unfinished">Under way</option>
                ${hc.map(e=>L`<option value=${e}>${Pt(e).label}</option>`)}
              </select></label>`}
      ${this.domain?z:L`<label><span class="hidden">Domain</span>
              <input type="search" placeholder="Domain, exact name or UUID" .value=${this.sought}
                @change=${e=>this.sought=e.target.value.trim()} /></label>`}
    </div>`}line(e){let t=this.open===e.id,n=this.cells(e);return L`<li class="task">
      ${this.link?L`<a class="line" href=${this.link.replace(`{id}`,encodeURIComponent(e.id))} @click=${t=>this.choose(t,e)}>${n}</a>`:L`<button class="line" aria-expanded=${t} @click=${t=>this.choose(t,e)}>${n}</button>`}
      ${t&&!this.link?L`<div class="detail"><waypost-migration .task=${e.id} .base=${this.base} .token=${this.token} bare></waypost-migration></div>`:z}
    </li>`}choose(e,t){this.tell(`waypost-open`,{task:t.id})?this.link||(this.open=this.open===t.id?null:t.id):e.preventDefault()}cells(e){let t=We(e),n=Pt(t);return L`<span class="name ellipsis" title=${e.domain}>${e.domain}</span>
      <span class="way soft"><span class="ellipsis">${e.source??`…`}</span>${H(`arrow`)}<span class="hidden">to</span><span class="ellipsis">${e.destination}</span></span>
      <span class="state">${Yt(t,e.attempt>1&&!e.ended?`· attempt ${e.attempt}`:``)}</span>
      <span class="figures">
        ${e.ended?L`<span class="ellipsis soft tiny" title=${e.message??``}>${e.message??`took ${_c(e)}`}</span>`:e.queued?L`<span class="ellipsis soft tiny" title=${e.message??``}>${[this.place(e),e.message].filter(Boolean).join(` · `)}</span>`:L`${$t(e.progress,n.tone,`Progress of ${e.domain}`)}
                  <span class="tiny soft ellipsis">${yt(e.progress)}${this.figures(e)}</span>`}
      </span>
      <span class="time soft tiny">${Qt(e.createdAt)}</span>`}place(e){let t=Ft(e.place,ut(this.live.who)?this.live.waiting:null);return t.charAt(0).toUpperCase()+t.slice(1)}figures(e){let t=e.sample;if(!t)return e.message?` · ${e.message}`:``;let n=[`${gt(t.remaining_bytes)} left`];return t.bytes_per_s&&n.push(_t(t.bytes_per_s)),t.remaining_ms!==null&&n.push(`about ${vt(t.remaining_ms)}`),` · ${n.join(` · `)}`}};function _c(e){return vt(Math.max(0,Date.parse(e.updatedAt)-Date.parse(e.createdAt)))}customElements.define(`waypost-migrations`,gc);function vc(e){return e?st(e,`change-policies`)?lt(e,`change-policies`)?{may:!0,why:``}:{may:!1,why:`You may change policies for some hosts or domains only, and they judge all of them.`}:{may:!1,why:`Your role here is ${e.role}, which looks at policies and changes none.`}:{may:!1,why:``}}function yc({unsettled:e},t,n){return e?`It is not known whether ${t} ${n}`:`${t[0].toUpperCase()}${t.slice(1)} not ${n}`}function bc(e,t,n=``){return[...new Set([...Object.keys(e),...Object.keys(t)])].sort().flatMap(r=>{let[i,a]=[e[r],t[r]];return Dc(i)&&Dc(a)?bc(i,a,`${n}${r}.`):Oc(i,a)?[]:[{key:`${n}${r}`,before:i,after:a}]})}function xc(e){return e===void 0?`nothing`:JSON.stringify(e)}function Sc(e){return JSON.stringify(e,null,2)}function Cc(e){try{let t=JSON.parse(e.trim()||`{}`);return Dc(t)?{settings:t}:{wrong:`Settings are an object: { … }`}}catch(e){return{wrong:e instanceof Error?e.message:String(e)}}}function wc(e){return e.replace(/\.wasm$/i,``).replace(/[^A-Za-z0-9_-]+/g,`-`).replace(/^[^A-Za-z0-9]+/,``).replace(/-+$/,``).slice(0,64)}function Tc(e){return e===`waypost`?`This name is the program’s own.`:/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(e)?``:`A name has 1 to 64 letters, digits, - and _, and begins with a letter or a digit.`}function Ec(e){if([0,97,115,109].every((t,n)=>e[n]===t))return``;let t=e[0]===80&&e[1]===75?`zip`:e[0]===31&&e[1]===139?`gzip`:``;return t?`This file is packed (${t}). Unpack it, and take the .wasm.`:`This file is no WebAssembly.`}function Dc(e){return typeof e==`object`&&!!e&&!Array.isArray(e)}function Oc(e,t){return JSON.stringify(kc(e))===JSON.stringify(kc(t))}function kc(e){return Array.isArray(e)?e.map(kc):Dc(e)?Object.fromEntries(Object.keys(e).sort().map(t=>[t,kc(e[t])])):e}var Ac=class extends G{static{this.properties={plugin:{type:String},readonly:{type:Boolean},why:{attribute:!1},known:{state:!0},theirs:{state:!0},unsure:{state:!0},text:{state:!0},problem:{state:!0},busy:{state:!0},done:{state:!0}}}static{this.styles=[G.styles,f`
      :host {
        color-scheme: inherit;
      }
      textarea {
        font: 400 var(--t-s) / 1.5 var(--mono);
        color: inherit;
        background: var(--raised);
        border: 1px solid color-mix(in srgb, var(--line-strong) 55%, var(--line));
        border-radius: var(--r-s);
        padding: 8px 10px;
        width: 100%;
        min-height: 7.5rem;
        resize: vertical;
        tab-size: 2;
      }
      textarea[aria-invalid="true"] {
        border-color: var(--bad);
      }
      pre {
        margin: 0;
        font: 400 var(--t-s) / 1.5 var(--mono);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      .said {
        min-height: 1.4em;
      }
    `]}constructor(){super(),this.readonly=!1,this.why=``,this.known=null,this.theirs=null,this.unsure=!1,this.text=``,this.problem=null,this.busy=!1,this.done=``}served(){this.look()}async look(){try{this.take(await this.client.settings(this.plugin))}catch(t){this.problem={attempted:`The settings could not be read`,problem:e.of(t)}}}take(e){e!==this.known&&(this.unsure=!1),this.known=e,this.theirs=null,this.problem=null,this.text=Sc(e.value.settings??{})}async send(t,n,r,i){this.busy=!0,this.problem=null,this.done=``;try{this.take(await t(n)),this.done=i,this.dispatchEvent(new Event(`changed`))}catch(t){let i=e.of(t);i.code===`changed-meanwhile`?await this.compare():this.problem={attempted:yc(i,`the settings were`,r),problem:i},i.unsettled&&await this.seek(n)}this.busy=!1}async seek(e){this.unsure=!0;let t=await this.client.settings(this.plugin).catch(()=>null);t&&t.tag!==e&&(this.theirs=t)}async compare(){try{this.theirs=await this.client.settings(this.plugin)}catch(t){this.problem={attempted:`They were changed meanwhile, and could not be read again`,problem:e.of(t)}}}save(e){let t=Cc(this.text);`wrong`in t||this.send(e=>this.client.putSettings(this.plugin,t.settings,e,this.why),e,`saved`,`Saved. The next decision uses them.`)}render(){let{known:e,problem:t,readonly:n}=this;if(!e)return t?en(t.problem,t.attempted,()=>void this.look()):nn(3);let{by:r,configured:i,schema:a,settings:o,keys:s}=e.value,c=r===`service`?`Made over the service`:r===`configuration`?`From the configuration`:`None were made`,l=Cc(this.text),u=`wrong`in l?l.wrong:``,d=!u&&`settings`in l&&bc(o??{},l.settings).length===0;return L`<div class="stack">
      <p class="small soft">${c}.${r===`service`&&i?` They go before those of the configuration.`:z}</p>
      ${n?L`<pre tabindex="0" role="group" aria-label="Settings of ${this.plugin}">${o?Sc(o):s.join(`
`)||`none`}</pre>
              ${o?z:L`<p class="tiny soft">What they say is shown to whoever may change policies.</p>`}`:L`<label class="field"><span>Settings of ${this.plugin}, JSON</span>
              <textarea
                spellcheck="false"
                autocomplete="off"
                aria-invalid=${u?`true`:`false`}
                aria-describedby="wrong"
                .value=${this.text}
                ?disabled=${this.busy}
                @input=${e=>{this.text=e.target.value,this.done=``}}
              ></textarea></label>
            <p id="wrong" class="small said toned bad" role="status">${u||z}</p>`}
      ${this.theirs?this.conflict(this.theirs):z}
      ${t?en(t.problem,t.attempted):z}
      ${n?z:L`<div class="row">
              <button class="primary" ?disabled=${this.busy||!!u||d||!!this.theirs} @click=${()=>this.save(e.tag)}>
                ${H(`check`)}${this.busy?`Asking the policy…`:`Save`}
              </button>
              <button ?disabled=${this.busy||d&&!u} @click=${()=>this.take(e)}>Undo</button>
              ${r===`service`?L`<button ?disabled=${this.busy} @click=${()=>void this.send(e=>this.client.forgetSettings(this.plugin,e,this.why),e.tag,`taken back`,`Taken back. Those of the configuration are in force.`)}>
                      ${H(`back`)}${i?`Use the configuration’s`:`Take them back`}
                    </button>`:z}
              <span class="small soft" role="status">${this.done}</span>
            </div>`}
      ${a?L`<details class="small"><summary>What the policy says of its settings</summary><pre tabindex="0" role="group" aria-label="JSON Schema of the settings of ${this.plugin}">${JSON.stringify(a,null,2)}</pre></details>`:z}
    </div>`}conflict(e){let t=bc(this.known.value.settings??{},e.value.settings??{});return L`<div class="callout warn" role="alert">
      ${H(`alert`)}
      <strong>${this.unsure?`These settings were changed meanwhile, by you or by somebody else.`:`Somebody else changed these settings meanwhile. Nothing of yours was saved.`}</strong>
      ${t.length?L`<dl class="facts">
              ${t.map(({key:e,before:t,after:n})=>L`<dt><code>${e}</code></dt><dd><code>${xc(t)}</code> became <code>${xc(n)}</code></dd>`)}
            </dl>`:L`<span>They are the same as before, and come from elsewhere now.</span>`}
      <span class="row">
        <button ?disabled=${this.busy} @click=${()=>this.take(e)}>${this.unsure?`Take what is there`:`Take theirs`}</button>
        <button class="danger" ?disabled=${this.busy} @click=${()=>this.save(e.tag)}>${this.unsure?`Save mine over it`:`Save mine over theirs`}</button>
      </span>
    </div>`}};customElements.define(`waypost-settings`,Ac);var jc=class extends G{static{this.properties={plugins:{attribute:!1},file:{state:!0},name:{state:!0},off:{state:!0},why:{state:!0},over:{state:!0},wrong:{state:!0},problem:{state:!0},busy:{state:!0},done:{state:!0}}}static{this.styles=[G.styles,f`
      :host {
        color-scheme: inherit;
      }
      .drop {
        display: flex;
        flex-wrap: wrap;
        gap: 6px 12px;
        align-items: center;
        padding: 12px 14px;
        border: 1px dashed var(--line-strong);
        border-radius: var(--r-m);
        font-size: var(--t-s);
      }
      .drop.over {
        border-color: var(--accent);
        background: var(--hover);
      }
      .button:focus-within {
        box-shadow: var(--ring);
      }
      input[type="text"] {
        width: 100%;
      }
    `]}constructor(){super(),this.close=()=>this.renderRoot.querySelector(`waypost-dialog`)?.close(),this.plugins=[],this.file=null,this.name=``,this.off=!1,this.why=``,this.over=!1,this.wrong=``,this.problem=null,this.busy=!1,this.done=``}async take(e){e&&(this.done=``,this.problem=null,this.wrong=Ec(new Uint8Array(await e.slice(0,8).arrayBuffer())),this.wrong||(this.name=wc(e.name),this.off=!1,this.why=``,this.file=e))}get there(){return this.plugins.find(e=>e.name===this.name&&e.etag)}async send(){let{file:t,name:n,there:r,off:i}=this;if(t&&!Tc(n)){this.busy=!0,this.problem=null;try{await this.client.putPlugin(n,t,r?.etag??null,!i,this.why)}catch(t){this.problem=e.of(t),this.busy=!1,(this.problem.code===`changed-meanwhile`||this.problem.unsettled)&&this.dispatchEvent(new Event(`changed`));return}this.busy=!1,this.done=r?`${n} was replaced.`:`${n} was uploaded.`,await this.updateComplete,this.renderRoot.querySelector(`waypost-dialog`)?.close(),this.dispatchEvent(new Event(`changed`))}}render(){return L`
      <div
        class="drop ${this.over?`over`:``}"
        @dragover=${e=>{e.preventDefault(),this.over=!0}}
        @dragleave=${()=>this.over=!1}
        @drop=${e=>{e.preventDefault(),this.over=!1,this.take(e.dataTransfer?.files[0])}}
      >
        <label class="button">${H(`rules`)}Upload a policy
          <input
            class="hidden"
            type="file"
            accept=".wasm,application/wasm"
            @change=${e=>{let t=e.target;this.take(t.files?.[0]),t.value=``}}
        /></label>
        <span class="soft">or drop its .wasm here. It is tried before it counts.</span>
        <span class="small" role="status">${this.done}</span>
      </div>
      ${this.wrong?L`<div class="callout bad" role="alert">${H(`alert`)}<strong>${this.wrong}</strong></div>`:z}
      ${this.file?this.last(this.file):z}
    `}last(e){let{there:t,name:n}=this,r=Tc(n);return L`<waypost-dialog
      .heading=${t?`Replace ${n}`:`Upload a policy`}
      .busy=${this.busy}
      @done=${()=>this.file=null}
    >
      <div class="stack">
        <p class="small break">${e.name}, ${gt(e.size)}</p>
        <label class="field">Name<input
          type="text"
          spellcheck="false"
          autocomplete="off"
          maxlength="64"
          aria-invalid=${r?`true`:`false`}
          aria-describedby="wrong"
          .value=${n}
          ?disabled=${this.busy}
          @input=${e=>this.name=e.target.value.trim()}
        /></label>
        <p id="wrong" class="small toned bad" role="status">${r||z}</p>
        ${t?L`<div class="callout warn">${H(`alert`)}
                <strong>${t.uploaded?`It takes the place of the one that was uploaded before`:`It goes before the file of a plugin folder`}</strong>
                <span>${t.uploaded?`That one is gone then.`:`That one is asked again when the upload is deleted.`}</span>
              </div>`:L`<label class="tick"><input type="checkbox" .checked=${this.off} ?disabled=${this.busy}
                @change=${e=>this.off=e.target.checked} />
                <span>Leave it switched off<br /><span class="soft">For one that wants settings first.</span></span></label>`}
        ${An(this.why,e=>this.why=e,this.busy)}
        <p class="small soft">It may do what the configuration grants to its name, and nothing else.</p>
        ${this.problem?en(this.problem,yc(this.problem,`the policy was`,`put down`)):z}
      </div>
      <button slot="actions" ?disabled=${this.busy} @click=${this.close}>Leave it</button>
      <button slot="actions" class="primary" ?disabled=${this.busy||!!r} @click=${()=>void this.send()}>
        ${H(`check`)}${this.busy?`Trying it…`:t?`Replace`:`Upload`}
      </button>
    </waypost-dialog>`}};customElements.define(`waypost-upload`,jc);var Mc=[`transform`,`precheck`,`placement`,`convergence`,`recovery`],Nc=class extends G{static{this.properties={readonly:{type:Boolean},open:{state:!0},busy:{state:!0},failed:{state:!0},leaving:{state:!0},why:{state:!0}}}static{this.styles=[G.styles,f`
      section + section {
        margin-top: 22px;
      }
      section > header {
        display: flex;
        gap: 8px;
        align-items: baseline;
        margin-bottom: 8px;
        text-transform: none;
      }
      .line {
        all: unset;
        box-sizing: border-box;
        width: 100%;
        display: grid;
        grid-template-columns: 14px minmax(11rem, 1fr) 10rem 6rem minmax(8rem, 1.6fr);
        gap: 4px 14px;
        align-items: center;
        padding: 8px 14px;
        min-height: 44px;
        cursor: pointer;
        font-size: var(--t-s);
      }
      .line:hover {
        background: var(--hover);
      }
      .line:focus-visible {
        box-shadow: inset 0 0 0 2px var(--accent);
        border-radius: var(--r-s);
      }
      li + li {
        border-top: 1px solid var(--line);
      }
      .name {
        font-weight: 600;
        font-size: var(--t-m);
      }
      .turn {
        color: var(--soft);
        display: inline-grid;
        transition: rotate 0.12s;
      }
      [aria-expanded="true"] .turn {
        rotate: 90deg;
      }
      .detail {
        padding: 6px 16px 18px 42px;
        display: grid;
        gap: 14px;
        background: var(--sunken);
        border-top: 1px solid var(--line);
      }
      .notes {
        margin-bottom: 14px;
      }
      @container (max-width: 700px) {
        .line {
          grid-template-columns: 14px minmax(0, 1fr) auto;
        }
        .mode,
        .why {
          grid-column: 2 / -1;
        }
        .mode:not(:has(.tag)),
        .why:not(.said) {
          display: none;
        }
        .detail {
          padding-inline: 14px;
        }
      }
    `]}constructor(){super(),this.who=new K(this,()=>this.live.know()),this.plugins=new K(this,()=>this.client.plugins(),3e4),this.readonly=!1,this.open=null,this.busy=!1,this.failed=null,this.leaving=null,this.why=``}served(){this.plugins.reset(),this.who.reset(),this.plugins.reload(),this.who.reload()}get may(){return!this.readonly&&vc(this.who.value).may}async change(t,n,r){this.busy=!0,this.failed=null;try{await r(),this.why=``}catch(r){let i=e.of(r);this.failed={plugin:t.name,attempted:yc(i,`it was`,n),problem:i}}this.busy=!1,await this.plugins.reload()}render(){let{value:e,problem:t}=this.plugins;if(!e||!(this.who.value||this.who.problem))return t?en(t,`The policies could not be read`,()=>void this.plugins.reload()):L`<div class="panel"><div class="empty">${nn(6)}</div></div>`;let n=e.plugins.filter(e=>![`ready`,`ignored`].includes(e.state)),{may:r,why:i}=vc(this.who.value);return L`
      <div class="stack notes">
        ${this.readonly?z:r?L`<waypost-upload .plugins=${e.plugins} .base=${this.base} .token=${this.token} @changed=${()=>void this.plugins.reload()}></waypost-upload>`:i?L`<p class="small soft">${i}</p>`:z}
        ${t?en(t,`The policies could not be read again`):z}
        ${n.length?L`<div class="callout bad">${H(`alert`)}
                <strong>${bt(n.length,`policy is`,`policies are`)} not in force as configured</strong>
                ${n.map(e=>L`<span><strong>${e.name}</strong>: ${e.reason??e.state}</span>`)}
              </div>`:z}
        ${e.cache_error?L`<div class="callout warn">${H(`alert`)}<strong>Compiled policies can’t be kept</strong><span>${e.cache_error}</span></div>`:z}
      </div>
      ${e.plugins.length?this.groups(e.plugins):L`<div class="panel">${tn(`rules`,`No policies`,`None was found in the folders below. Without a precheck nothing may be moved.`)}</div>`}
      ${this.leaving?this.last(this.leaving.plugin,this.leaving.how):z}
      <p class="tiny soft break">Looked for in ${e.folders.length?e.folders.map((e,t)=>L`${t?`, `:``}<code>${e}</code>`):`no folder`}; the last one wins.</p>
    `}groups(e){return[...new Set([...Mc,...e.flatMap(e=>e.hooks),``])].map(t=>({hook:t,of:e.filter(e=>(e.hooks[0]??``)===t)})).filter(({of:e})=>e.length).map(({hook:e,of:t})=>L`<section aria-label=${e||`Without a hook`}>
          <header><h3>${e?e[0].toUpperCase()+e.slice(1):`Not loaded`}</h3><span class="soft small">${Gt(e)}</span></header>
          <ul class="panel">${t.map(e=>this.plugin(e))}</ul>
        </section>`)}plugin(e){let t=this.open===e.name;return L`<li>
      <button class="line" aria-expanded=${t} @click=${()=>this.unfold(t?null:e.name)}>
        <span class="turn">${H(`right`)}</span>
        <span class="name ellipsis">${e.name}</span>
        <span>${Xt(e.state)}</span>
        <span class="mode">${e.mode===`enforce`?L`<span class="soft tiny">enforce</span>`:e.mode?L`<span class="tag">${e.mode}</span>`:z}</span>
        <span class="why ellipsis soft tiny ${e.reason?`said`:``}">${e.reason??(e.digest?L`<code title="SHA-256 of what is in force">${e.digest.slice(0,12)}</code>`:z)}</span>
      </button>
      ${t?this.detail(e):z}
    </li>`}unfold(e){this.open=e,this.why=``}changed(){this.why=``,this.plugins.reload()}detail(e){return L`<div class="detail">
      ${e.reason?L`<div class="callout bad">${H(`alert`)}<strong>${e.reason}</strong>${e.remedy?L`<span>${e.remedy}</span>`:z}</div>`:z}
      <dl class="facts">
        <dt>Mode</dt><dd>${e.mode??`not configured`}</dd>
        <dt>Hooks</dt><dd>${e.hooks.join(`, `)||`none`}</dd>
        ${e.file?L`<dt>File</dt><dd class="mono">${e.file}</dd>`:z}
        ${e.digest?L`<dt>Digest</dt><dd class="mono">${e.digest}</dd>`:z}
        ${e.built_as?L`<dt>Built as</dt><dd>${e.built_as}</dd>`:z}
        ${e.version?L`<dt>Version</dt><dd>${e.version}</dd>`:z}
        ${e.switched_by&&!e.enabled?L`<dt>Switched off</dt><dd>${e.switched_by===`service`?`over the service`:`by the configuration`}</dd>`:z}
        <dt>Granted</dt><dd>${e.grants.join(`, `)||`nothing`}</dd>
        <dt>Imports</dt><dd class="mono">${e.imports.join(`, `)||`nothing`}</dd>
      </dl>
      ${this.failed?.plugin===e.name?en(this.failed.problem,this.failed.attempted):z}
      ${this.may&&e.etag?L`${An(this.why,e=>this.why=e,this.busy)}${this.controls(e)}`:z}
      ${e.etag?L`<h3>Settings</h3>
              <waypost-settings .plugin=${e.name} .readonly=${!this.may} .base=${this.base} .token=${this.token}
                .why=${this.why} @changed=${()=>this.changed()}></waypost-settings>`:z}
      <h3>What it decided lately</h3>
      <waypost-decisions class="panel" .plugin=${e.name} .base=${this.base} .token=${this.token}></waypost-decisions>
    </div>`}controls(e){let{name:t,enabled:n,switched_by:r}=e,i=(!n&&r===`configuration`?`The configuration switches it off.`:``)||(n&&r===`configuration`?`The configuration requires it.`:``);return L`<div class="row">
      <button ?disabled=${this.busy} aria-disabled=${i?`true`:`false`} title=${i||z} @click=${()=>{i||(n&&e.hooks.includes(`precheck`)?this.leaving={plugin:e,how:`switched off`}:this.change(e,n?`switched off`:`switched on`,()=>this.client.switchPlugin(t,!n,this.why)))}}>
        ${H(n?`stop`:`check`)}${n?`Switch off`:`Switch on`}<span class="hidden"> ${t}</span>
      </button>
      ${e.uploaded?L`<button class="danger" ?disabled=${this.busy} @click=${()=>this.leaving={plugin:e,how:`deleted`}}>
              ${H(`cross`)}Delete<span class="hidden"> ${t}</span>
            </button>`:z}
      ${i?L`<span class="small soft">${i}</span>`:z}
    </div>`}last(e,t){let{name:n}=e,r=t===`deleted`,i=r?`Delete`:`Switch off`,a=()=>this.renderRoot.querySelector(`waypost-dialog`)?.close(),o=async()=>{await this.change(e,t,()=>r?this.client.deletePlugin(n,e.etag??``,this.why):this.client.switchPlugin(n,!1,this.why)),a()};return L`<waypost-dialog heading="${i} ${n}" .busy=${this.busy} @done=${()=>this.leaving=null}>
      ${r?L`<p class="small">The next decision is made without it, and the settings that were made for it over the service go with it. Where a
              plugin folder has a file of its name, that one is asked again.</p>`:L`<p class="small">The next decision is made without it: what it refuses now, for any domain and any host, nobody refuses then. It stays,
              with its settings, and can be switched on again.</p>`}
      <button slot="actions" ?disabled=${this.busy} @click=${a}>Keep it</button>
      <button slot="actions" class="danger primary" ?disabled=${this.busy} @click=${()=>void o()}>
        ${H(r?`cross`:`stop`)}${i}
      </button>
    </waypost-dialog>`}};customElements.define(`waypost-plugins`,Nc);var Pc=60,Fc=class extends G{static{this.properties={readonly:{type:Boolean},show:{state:!0},sought:{state:!0},most:{state:!0},at:{state:!0},pinned:{state:!0},moving:{state:!0}}}static{this.styles=[G.styles,wn,f`
      .tools {
        margin-bottom: 12px;
      }
      .both {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 320px;
        gap: 16px;
        align-items: start;
      }
      aside {
        position: sticky;
        top: 76px;
        padding: 14px 16px;
        min-height: 190px;
        max-height: calc(100vh - 96px);
        overflow: auto;
        scrollbar-width: thin;
        align-content: start;
      }
      @container (max-width: 860px) {
        .both {
          grid-template-columns: minmax(0, 1fr);
        }
        aside {
          top: auto;
          bottom: var(--waypost-bottom, 8px);
          z-index: 4;
          min-height: 0;
          max-height: 40vh;
          box-shadow: 0 -6px 24px rgb(8 15 25 / 16%);
        }
      }
      .map {
        max-height: max(420px, calc(100vh - 210px));
      }
      table {
        width: auto;
        min-width: 100%;
        border-collapse: separate;
        border-spacing: 0;
      }
      thead th {
        position: sticky;
        top: 0;
        z-index: 2;
        text-align: center;
      }
      tbody th,
      thead th:first-child {
        position: sticky;
        inset-inline-start: 0;
        z-index: 1;
        text-align: start;
        font-size: var(--t-s);
        border-inline-end: 1px solid var(--line);
        width: 250px;
        max-width: 250px;
        padding-block: 4px;
      }
      thead th:first-child {
        z-index: 3;
      }
      tbody th strong {
        color: var(--text);
        font-weight: 600;
      }
      tbody th > span {
        display: block;
        font-weight: 400;
      }
      th .ellipsis {
        display: block;
      }
      thead th .ellipsis {
        max-width: 8.5rem;
        margin-inline: auto;
      }
      @container (max-width: 600px) {
        tbody th,
        thead th:first-child {
          width: 116px;
          max-width: 116px;
        }
      }
      td {
        padding: 2px;
        text-align: center;
        min-width: 62px;
        border-bottom: 1px solid var(--line);
      }
      td button {
        width: 100%;
        min-height: 34px;
        padding: 0 4px;
        border: 1px solid transparent;
        background: var(--tint);
        color: var(--tone);
        font-size: var(--t-xs);
        font-weight: 650;
        border-radius: 4px;
      }
      td button:hover {
        background: var(--tint);
        border-color: var(--tone);
      }
      td button[aria-pressed="true"] {
        border-color: var(--tone);
        box-shadow: inset 0 0 0 1px var(--tone);
      }
      td button:focus-visible {
        box-shadow: inset 0 0 0 2px var(--accent);
      }
      .here {
        color: var(--soft);
        font-size: var(--t-xs);
      }
      .key {
        display: inline-flex;
        gap: 5px;
        align-items: center;
        font-size: var(--t-xs);
      }
      .key i {
        width: 18px;
        height: 14px;
        border-radius: 3px;
        background: var(--tint);
        color: var(--tone);
        display: inline-grid;
        place-items: center;
        font-size: 10px;
      }
      td button.noted,
      .key.noted i {
        background: transparent;
        box-shadow: inset 0 0 0 1px color-mix(in srgb, var(--tone) 40%, transparent);
      }
      .legend {
        gap: 4px 18px;
        margin-bottom: 10px;
      }
      .foot {
        text-align: center;
        padding: 8px;
      }
      .note {
        margin-bottom: 12px;
      }
    `]}constructor(){super(),this.readiness=new K(this,()=>this.client.readiness()),this.looked=null,this.walk=e=>{let t={ArrowUp:[-1,0],ArrowDown:[1,0],ArrowLeft:[0,-1],ArrowRight:[0,1],PageUp:[-10,0],PageDown:[10,0],Home:[0,-1e3],End:[0,1e3]};e.key===`Escape`&&(this.pinned=null);let n=t[e.key];if(!n)return;e.preventDefault();let r=[...this.renderRoot.querySelectorAll(`[data-at]`)].map(e=>{let[t,n]=e.dataset.at.split(`:`).map(Number);return{element:e,row:t,column:n}}),[i,a]=this.at,o=r.filter(e=>n[0]?(e.row-i)*Math.sign(n[0])>0:e.row===i&&(e.column-a)*Math.sign(n[1])>0),[s,c]=[i+n[0],a+n[1]],l=e=>Math.abs(e.row-s)*1e3+Math.abs(e.column-c);o.sort((e,t)=>l(e)-l(t))[0]?.element.focus()},this.readonly=!1,this.show=`all`,this.sought=``,this.most=Pc,this.at=[0,0],this.pinned=null,this.moving=null}get follows(){return!0}served(){this.readiness.reset(),this.readiness.reload()}back(){this.readiness.problem&&this.readiness.reload()}get hosts(){let e=new Set;for(let t of this.readiness.value?.rows??[]){e.add(t.domain.host);for(let n of t.verdicts)e.add(n.destination)}return[...e].sort((e,t)=>e.localeCompare(t,void 0,{numeric:!0}))}fits(e){let t=this.sought.trim().toLowerCase();if(t&&!e.domain.name.toLowerCase().includes(t))return!1;let n=e.verdicts.map(Sn);return this.show===`barred`?n.every(e=>e.refused):this.show!==`warned`||n.some(e=>e.tone===`warn`)}get changes(){let e=new Date(this.readiness.at).toISOString();return[...this.live.tasks.values()].filter(t=>t.ended===`completed`&&t.updatedAt>e).length}render(){let{value:e,problem:t,loading:n,at:r}=this.readiness,i=e?.rows.filter(e=>this.fits(e)).sort(Ic)??[],a=e?this.changes:0;return L`
      <div class="row spread tools">
        <div class="row">
          <input type="search" aria-label="Find a domain" placeholder="Find a domain" .value=${this.sought}
            @input=${e=>this.narrow({sought:e.target.value})} />
          <label><span class="hidden">Which domains</span>
            <select @change=${e=>this.narrow({show:e.target.value})}>
              <option value="all">All domains</option>
              <option value="barred">Those that can go nowhere</option>
              <option value="warned">Those with a warning</option>
            </select></label>
        </div>
        <div class="row small soft">
          ${r?L`<span>as of ${Qt(new Date(r).toISOString())}${a?`; ${bt(a,`migration`)} since`:z}</span>`:z}
          <button ?disabled=${n} @click=${()=>void this.readiness.reload()}>${H(`again`)}${n?`Reading…`:`Read again`}</button>
        </div>
      </div>
      ${t?L`<div class="stack note">${this.problemNote(t,`The readiness could not be read`,()=>void this.readiness.reload())}</div>`:z}
      ${e?.unread.length?L`<div class="callout warn note">${H(`unlinked`)}<strong>Not everything could be read</strong>
              ${e.unread.map(e=>L`<span>${e.host}: ${e.error}</span>`)}</div>`:z}
      ${e?this.map(i,e):t?z:L`<div class="panel"><div class="empty">${nn(6)}<span>Every host is read, and every policy is asked about every domain.</span></div></div>`}
      ${this.moving?L`<waypost-move .domain=${this.moving.domain} .to=${this.moving.to} .base=${this.base} .token=${this.token}
              @done=${()=>this.moving=null}></waypost-move>`:z}
    `}narrow(e){Object.assign(this,e),this.most=Pc,this.at=[0,0]}map(e,t){if(!t.rows.length)return L`<div class="panel">${tn(`grid`,`No domains`,`No host that answered has one.`)}</div>`;let n=this.hosts,r=e.slice(0,this.most),i=this.entry(r,n);return L`<div class="row legend" aria-label="What the signs mean" role="group">
        <span class="key good"><i>${H(`check`)}</i>may go</span>
        <span class="key good noted"><i>${H(`info`)}</i>may go, with so many notes</span>
        <span class="key warn"><i>${H(`alert`)}</i>may go, with so many warnings</span>
        <span class="key bad"><i>${H(`bar`)}</i>refused, by so many blockers</span>
      </div>
      <div class="both">
      <div class="panel">
        ${e.length?L`<div class="scroll map" @mouseleave=${()=>this.look(null)}>
                <table role="grid" aria-label="Readiness: may the domain of the row go to the host of the column" aria-rowcount=${e.length+1} @keydown=${this.walk}>
                  <thead><tr>
                    <th scope="col">Domain</th>
                    ${n.map(e=>L`<th scope="col"><span class="ellipsis" title=${e}>${e}</span></th>`)}
                  </tr></thead>
                  <tbody>${r.map((e,t)=>this.row(e,t,n,i))}</tbody>
                </table>
              </div>`:tn(`search`,`No such domain`,`None fits what is chosen above.`)}
        ${e.length>r.length?L`<div class="foot"><button class="quiet" @click=${()=>this.most+=Pc}>
                Show ${Math.min(Pc,e.length-r.length)} more of ${e.length-r.length}
              </button></div>`:z}
      </div>
      <aside class="panel stack" aria-live="polite" aria-label="Findings">${this.found()}</aside>
    </div>`}entry(e,t){let n=(n,r)=>e[n]?.verdicts.some(e=>e.destination===t[r]);if(n(...this.at))return this.at;let r=Math.max(0,e.findIndex(e=>e.verdicts.length));return[r,t.findIndex((e,t)=>n(r,t))]}row(e,t,n,r){let{domain:i}=e,a=new Map(e.verdicts.map(e=>[e.destination,e]));return L`<tr>
      <th scope="row"><span><strong class="ellipsis" title=${i.name}>${i.name}</strong><span class="tiny ellipsis" title=${i.host}>${i.host}${i.state===`running`?``:`, ${Kt(i.state)}`}</span></span></th>
      ${n.map((e,n)=>{let o=a.get(e);if(!o)return L`<td><span class="here">${e===i.host?`here`:`–`}</span></td>`;let s=Sn(o),c={domain:i,host:e,verdict:o},l=s.tone===`good`&&s.why!==``,u=this.pinned?.domain.id===i.id&&this.pinned.host===e;return L`<td role="gridcell"><button
          class=${l?`good noted`:s.tone}
          tabindex=${r[0]===t&&r[1]===n?0:-1}
          data-at="${t}:${n}"
          aria-pressed=${u}
          aria-label=${`${i.name} to ${e}: ${s.word}${s.why?`, ${s.why}`:``}`}
          @mouseenter=${()=>this.look(c)}
          @focus=${()=>{this.at=[t,n],this.look(c)}}
          @click=${()=>this.pinned=u?null:c}
        >${H(l?`info`:s.icon)}${Number.parseInt(s.why,10)||z}</button></td>`})}
    </tr>`}look(e){this.looked=e,this.requestUpdate()}found(){let e=this.pinned??this.looked;if(!e)return L`<h3>What the rules say</h3>
        <p class="small soft">Point at a cell, or walk with the arrow keys. A click keeps it here.</p>`;let t=Sn(e.verdict);return L`<div class="row spread">
        <h3 class="break">${e.domain.name} ${H(`arrow`)} ${e.host}</h3>
        ${this.pinned?L`<button class="quiet" aria-label="Let go" @click=${()=>this.pinned=null}>${H(`cross`)}</button>`:z}
      </div>
      <p class="toned ${t.tone}">${H(t.icon)} <strong>${t.word}</strong>${t.why?`, ${t.why}`:z}</p>
      ${Cn(e.verdict)}
      ${this.readonly||t.refused||!this.permits(`move`)?z:L`<button @click=${()=>this.moving={domain:e.domain,to:e.host}}>${H(`arrow`)}Move it there…</button>`}`}};function Ic(e,t){let n=(e,t)=>e.localeCompare(t,void 0,{numeric:!0});return n(e.domain.name,t.domain.name)||n(e.domain.host,t.domain.host)}customElements.define(`waypost-readiness`,Fc);var Lc=f`
  :host {
    /* A container would hold what is fixed to the window. */
    container-type: normal;
    min-height: 100vh;
    min-height: 100dvh;
    display: flex;
    flex-direction: column;
    background: var(--sunken);
  }
  :host > * {
    min-width: 0;
  }
  waypost-hosts,
  waypost-migrations,
  waypost-migration,
  waypost-readiness,
  waypost-plugins,
  waypost-decisions {
    color-scheme: inherit;
  }
  .skip {
    position: absolute;
    inset: -60px auto auto 12px;
    z-index: 10;
    background: var(--raised);
    padding: 8px 12px;
    border-radius: var(--r-s);
  }
  .skip:focus {
    top: 10px;
  }
  .top {
    position: sticky;
    top: 0;
    z-index: 5;
    display: flex;
    align-items: stretch;
    gap: 22px;
    padding: 0 24px;
    min-height: 56px;
    background: var(--surface);
    border-bottom: 1px solid var(--line);
  }
  .brand {
    display: flex;
    align-items: center;
    gap: 9px;
    color: var(--text);
    text-decoration: none;
    font-size: var(--t-l);
    font-weight: 700;
    letter-spacing: -0.015em;
  }
  .brand svg {
    width: 24px;
    height: 24px;
    fill: var(--accent);
  }
  nav {
    display: flex;
    gap: 2px;
  }
  nav a {
    position: relative;
    display: flex;
    align-items: center;
    gap: 7px;
    padding: 0 12px;
    color: var(--soft);
    text-decoration: none;
    font-weight: 550;
    font-size: var(--t-m);
  }
  nav a:hover {
    color: var(--text);
  }
  nav a[aria-current] {
    color: var(--text);
  }
  nav a[aria-current]::after {
    content: "";
    position: absolute;
    inset: auto 10px -1px;
    height: 2px;
    border-radius: 2px;
    background: var(--accent);
  }
  nav a:focus-visible {
    box-shadow: inset 0 0 0 2px var(--accent);
  }
  .count {
    font-size: var(--t-xs);
    line-height: 1;
    padding: 3px 6px;
    border-radius: 99px;
    color: var(--busy);
    background: var(--busy-tint);
  }
  .end {
    margin-inline-start: auto;
    gap: 10px;
    flex-wrap: nowrap;
  }
  .link {
    display: inline-flex;
    align-items: center;
    gap: 6px;
    color: var(--soft);
    font-weight: 550;
    white-space: nowrap;
  }
  .link i {
    width: 8px;
    height: 8px;
    border-radius: 50%;
    background: var(--tone);
  }
  .link.bad,
  .link.warn {
    color: var(--tone);
  }
  .who {
    display: inline-flex;
    align-items: center;
    gap: 6px;
    min-width: 0;
    padding-inline-start: 10px;
    border-inline-start: 1px solid var(--line);
    white-space: nowrap;
  }
  .who svg {
    color: var(--soft);
    font-size: 14px;
  }
  .who b {
    font-weight: 600;
    max-width: 16ch;
  }
  div.out {
    max-width: 460px;
    margin: min(12vh, 110px) auto;
    display: grid;
    gap: 16px;
  }
  .theme {
    width: 34px;
    padding: 0;
    font-size: var(--t-l);
  }
  main {
    flex: 1;
    width: 100%;
    /* What comes below the fold is not pushed around by a page that fills. */
    min-height: 100vh;
    max-width: 1560px;
    margin: 0 auto;
    padding: 22px 24px 40px;
  }
  main:focus {
    outline: none;
    box-shadow: none;
  }
  .head {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 2px 14px;
    margin-bottom: 16px;
  }
  h1 {
    margin: 0;
    font-size: var(--t-xxl);
    font-weight: 680;
    letter-spacing: -0.022em;
    line-height: 1.2;
    overflow-wrap: anywhere;
  }
  h1:focus {
    outline: none;
    box-shadow: none;
  }
  .back {
    flex-basis: 100%;
    display: flex;
    align-items: center;
    gap: 6px;
    text-decoration: none;
  }
  /* Over the page, so that it moves nothing. */
  .notices {
    position: fixed;
    inset: auto 24px 16px auto;
    z-index: 6;
    display: grid;
    gap: 8px;
    width: min(400px, calc(100vw - 28px));
  }
  .notices .callout {
    box-shadow: 0 10px 32px rgb(8 15 25 / 24%);
  }
  .notices button.quiet {
    width: 30px;
    min-height: 26px;
  }
  .hosts {
    display: grid;
    grid-template-columns: minmax(0, 1fr) 340px;
    gap: 20px;
    align-items: start;
  }
  .hosts aside h2 {
    font-size: var(--t-m);
  }
  .hosts aside h2:first-child {
    line-height: 32px;
  }
  .hosts aside h2 + * + h2 {
    margin-top: 6px;
  }
  footer {
    padding: 0 24px 18px;
    min-height: 36px;
    text-align: center;
  }
  @media (max-width: 1080px) {
    .hosts {
      grid-template-columns: minmax(0, 1fr);
    }
  }
  @media (max-width: 720px) {
    :host {
      --waypost-bottom: calc(64px + env(safe-area-inset-bottom));
    }
    .notices {
      inset: auto 14px var(--waypost-bottom) 14px;
      width: auto;
    }
    .top {
      padding: 0 14px;
      min-height: 50px;
      gap: 12px;
    }
    .end {
      gap: 8px;
      min-width: 0;
    }
    .who .role,
    button.out span {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
    .who b {
      max-width: 9ch;
    }
    main {
      padding: 16px 14px 90px;
    }
    nav {
      position: fixed;
      inset: auto 0 0;
      z-index: 5;
      display: grid;
      grid-template-columns: repeat(4, 1fr);
      background: var(--surface);
      border-top: 1px solid var(--line);
      padding-bottom: env(safe-area-inset-bottom);
    }
    nav a {
      flex-direction: column;
      justify-content: center;
      gap: 2px;
      padding: 8px 0 7px;
      font-size: var(--t-xs);
    }
    nav a svg {
      font-size: 19px;
    }
    nav a[aria-current] {
      color: var(--accent);
    }
    nav a[aria-current]::after {
      inset: -1px 24% auto;
    }
    .count {
      position: absolute;
      inset: 4px auto auto calc(50% + 8px);
    }
    footer {
      padding-bottom: 76px;
    }
  }
`,Rc=e=>`waypost-${e}`;function zc(e){try{return localStorage.getItem(Rc(e))}catch{return null}}function Bc(e,t){try{localStorage.setItem(Rc(e),t)}catch{}}function Vc(e){try{localStorage.removeItem(Rc(e))}catch{}}var Hc=[{page:`hosts`,title:`Hosts`,icon:`host`,says:`Drag a domain to the host that shall run it, or use its Move button.`},{page:`migrations`,title:`Migrations`,icon:`moves`,says:`What runs, and what became of what ran.`},{page:`readiness`,title:`Readiness`,icon:`grid`,says:`May every domain go to every other host, and if not, why.`},{page:`policies`,title:`Policies`,icon:`rules`,says:`Who decides: each rule, whether it is in force, and what it said lately.`}],Uc=[{theme:null,label:`As the system`,icon:`auto`},{theme:`light`,label:`Light`,icon:`sun`},{theme:`dark`,label:`Dark`,icon:`moon`}];function Wc(e){try{return decodeURIComponent(e)}catch{return e}}function Gc(){let[e,t]=location.hash.replace(/^#\/?/,``).split(`/`);return{page:Hc.some(t=>t.page===e)?e:`hosts`,task:e===`migrations`&&t?Wc(t):null}}var Kc=class extends G{static{this.properties={login:{type:String},place:{state:!0},begun:{state:!0},problem:{state:!0}}}static{this.styles=[G.styles,Lc]}constructor(){super(),this.version=new K(this,()=>this.client.version()),this.logOut=async()=>{this.problem=null;try{await this.client.endSession(),this.leave(null)}catch(t){let n=e.of(t);n.denied||(this.problem=n)}},this.went=async()=>{this.place=Gc(),this.begun=null,await this.updateComplete,scrollTo(0,0),this.renderRoot.querySelector(`h1`)?.focus({preventScroll:!0})},this.skip=e=>{e.preventDefault(),this.renderRoot.querySelector(`main`)?.focus()},this.created=e=>{this.place.task?location.hash=`#/migrations/${e.detail.task}`:this.begun=e.detail.task},this.place=Gc(),this.begun=null,this.problem=null,this.theme=zc(`theme`)}get follows(){return!0}served(){this.version.reset(),this.version.reload()}signedOut(){this.login&&!this.client.hasToken&&this.leave(`${location.pathname}${location.search}${location.hash}`)}leave(e){let t=new URL(this.login,document.baseURI);e&&t.searchParams.set(`return`,e),location.replace(t)}connectedCallback(){super.connectedCallback(),addEventListener(`hashchange`,this.went)}disconnectedCallback(){super.disconnectedCallback(),removeEventListener(`hashchange`,this.went)}render(){let{page:e,task:t}=this.place,n=t?this.live.tasks.get(t):void 0,r=t?n?`Migration of ${n.domain}`:`Migration`:Hc.find(t=>t.page===e).title;document.title=`${r} · Waypost`;let i=this.live.link.state===`denied`;return L`
      <a class="skip" href="#main" @click=${this.skip}>Skip to the content</a>
      <header class="top">
        <a class="brand" href="#/hosts" aria-label="Waypost">
          <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M11 3h2v18h-2z" /><path d="M4 5h12.5l3 2.75-3 2.75H4z" /><path d="M20 12.5H8.5l-2.5 2.25L8.5 17H20z" opacity=".55" /></svg>
          <span>Waypost</span>
        </a>
        ${i?z:this.nav(e)}
        <div class="row end">${this.link()}${this.viewer()}${this.themes()}</div>
      </header>
      <main id="main" tabindex="-1">
        ${i?this.out():this.page(e,t,r)}
      </main>
      <div class="notices">
        ${i?z:this.linkNote()}${this.begunNote()}${this.problem?en(this.problem,`You are still logged in`):z}
      </div>
      <footer class="tiny soft">${this.version.value?`Waypost ${this.version.value.version}, API ${this.version.value.api}`:z}</footer>
    `}nav(e){let t=[...this.live.tasks.values()].filter(e=>!e.ended).length;return L`<nav aria-label="Pages">
      ${Hc.map(n=>L`<a href="#/${n.page}" aria-current=${n.page===e?`page`:z}>
          ${H(n.icon)}<span>${n.title}</span>
          ${n.page===`migrations`&&t?L`<b class="count" aria-label=${`${t} under way`}>${t}</b>`:z}
        </a>`)}
    </nav>`}link(){let{link:e}=this.live,[t,n]=e.state===`live`?[`good`,`Live`]:e.state===`lost`?[`bad`,`Lost at ${Tt(new Date(e.since).toISOString())}`]:e.state===`denied`?[`warn`,`Signed out`]:[`idle`,`Connecting`];return L`<span class="link tiny ${t}" role="status"><i></i>${n}</span>`}viewer(){let{who:e}=this.live;return e?L`<span class="who tiny" title=${dt(e)}>
        ${H(`person`)}<span class="hidden">Logged in as</span><b class="ellipsis">${e.name}</b><span class="role soft">${e.role}</span>
      </span>
      ${e.session&&this.login?L`<button class="quiet out" aria-label="Log out" title="Log out" @click=${this.logOut}>${H(`leave`)}<span>Log out</span></button>`:z}`:z}out(){let{link:e}=this.live;return L`<h1 class="hidden" tabindex="-1">Signed out</h1>
      <div class="out">
        ${e.state===`denied`?Ot(e.problem):z}
        ${this.login?L`<p><a class="button" href=${this.login}>Log in</a></p>`:z}
      </div>`}themes(){let e=Math.max(0,Uc.findIndex(e=>e.theme===this.theme)),t=Uc[e],n=Uc[(e+1)%Uc.length];return L`<button class="quiet theme" aria-label=${`Colours: ${t.label}. Change to: ${n.label}`} title=${`Colours: ${t.label}`}
      @click=${()=>{this.theme=n.theme,n.theme?Bc(`theme`,n.theme):Vc(`theme`)}}>${H(t.icon)}</button>`}page(e,t,n){let r=e===`hosts`&&this.live.who!==null&&!this.permits(`move`)?`What runs where. To have domains moved takes the role operator.`:Hc.find(t=>t.page===e).says;return L`
      <div class="head">
        ${t?L`<a class="small back" href="#/migrations">${H(`back`)}All migrations</a>`:z}
        <h1 tabindex="-1" class=${t?`hidden`:``}>${n}</h1>
        ${t?z:L`<p class="soft small">${r}</p>`}
      </div>
      <div class="page" @waypost-created=${this.created}>${this.content(e,t)}</div>
    `}begunNote(){let e=this.begun?this.live.tasks.get(this.begun):void 0;return L`<div role="status">${e?L`<div class="callout ${Pt(We(e)).tone}">${H(Pt(We(e)).icon)}
            <span class="row spread"><span><strong>${e.domain}</strong> to ${e.destination}: ${Pt(We(e)).label}</span>
              <span class="row"><a href="#/migrations/${e.id}">Watch it</a>
              <button class="quiet" aria-label="Put away" @click=${()=>this.begun=null}>${H(`cross`)}</button></span></span></div>`:z}</div>`}content(e,t){let{base:n,token:r}=this,i=`#/migrations/{id}`;switch(e){case`migrations`:return t?L`<waypost-migration quiet .task=${t} .base=${n} .token=${r}></waypost-migration>`:L`<waypost-migrations quiet .base=${n} .token=${r} link=${i}></waypost-migrations>`;case`readiness`:return L`<waypost-readiness quiet .base=${n} .token=${r}></waypost-readiness>`;case`policies`:return L`<waypost-plugins quiet .base=${n} .token=${r}></waypost-plugins>`;default:return L`<div class="hosts">
          <waypost-hosts quiet .base=${n} .token=${r} link=${i}></waypost-hosts>
          <aside class="stack" aria-label="Migrations">
            <h2>Under way</h2>
            <waypost-migrations quiet compact state="unfinished" limit="20" .base=${n} .token=${r} link=${i}></waypost-migrations>
            <h2>Ended lately</h2>
            <waypost-migrations quiet compact mute state="completed,refused,rolled-back,cancelled,stuck,lost" limit="5" .base=${n} .token=${r} link=${i}></waypost-migrations>
          </aside>
        </div>`}}};customElements.define(`waypost-dashboard`,Kc);export{i as Client,e as Problem,Kc as WaypostDashboard,sn as WaypostDecisions,In as WaypostHosts,fc as WaypostMigration,gc as WaypostMigrations,Nc as WaypostPlugins,Fc as WaypostReadiness,on as configure};