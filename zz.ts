import { loadDataset } from './trainer/data/dataset';
import * as K from './trainer/engine/wasm/kernels';
import { WasmEngine } from './trainer/engine/wasm';
import { initialise } from './trainer/initialise';
import { zeroParameters, maskedParameters, fullMasks } from './trainer/network';
import { RandomStream } from './trainer/random';
import { prune } from './trainer/prune';
const images=loadDataset({name:'mnist',validation:0});
const engine:any=new WasmEngine(images);
const times=new Map<string,[number,number]>();
const PROF=process.env.PROF==='1';
if(PROF){const orig=engine.kernels.bind(engine);engine.kernels=(s:any)=>{const k=orig(s);const o:any={};for(const n of Object.keys(k)){o[n]=(...a:number[])=>{const key=/^update1/.test(n)?n+"/"+a[0]:a.length>8&&/^[a-z]+[A-Z]?[a-z]*[0-9]+$/.test(n)?n+"/"+a[6]:n;const t=performance.now();const r=k[n](...a);const e=times.get(key)??[0,0];e[0]+=performance.now()-t;e[1]++;times.set(key,e);return r;};}return o;};}
const hidden=(process.env.H??'300-100').split('-').map(Number);
const sizes=[784,...hidden,10];
const E=+(process.env.E??4);
const settings={epochs:E,batchSize:128,optimizer:'adam' as const,learningRate:0.001,momentum:0,l1:0,l2:0};
const order=(e:number)=>new RandomStream(1,'order',e).permutation(60000);
const z=()=>zeroParameters(sizes);
function run(name:string,masks:any,p:any){times.clear();let last=performance.now();const ts:number[]=[];let acc=0;
 const st=engine.fit({sizes,settings,...(masks?{masks}:{}),start:{parameters:p,first:z(),second:z(),epoch:0},order,onEpoch:(n:any)=>{const now=performance.now();ts.push((now-last)/1000);last=now;acc=n.accuracy;}});
 const s=[...ts].sort((a,b)=>a-b);console.log(name,'min',s[0]!.toFixed(3),'med',s[s.length>>1]!.toFixed(3),'acc',acc.toFixed(4));
 if(PROF)for(const [n,[t,c]] of [...times].sort((a,b)=>b[1][0]-a[1][0]).slice(0,14))console.log('   ',n.padEnd(18),(t/E).toFixed(1).padStart(8)+' ms/epoch',String(c/E).padStart(8),(1e3*t/c).toFixed(1)+' us');
 return st;}
const st=run('dense',undefined,initialise(sizes,1));
for(const d of (process.env.D??'0.1,0.02,0.005').split(',').filter(Boolean).map(Number)){
 const total=st.parameters.weights.reduce((a:number,w:Float32Array)=>a+w.length,0);
 const m=prune(st.parameters.weights,fullMasks(sizes),{criterion:'magnitude',scope:'global'},Math.round(d*total),new RandomStream(1,'x')).masks;
 run('d='+d,m,maskedParameters(st.parameters,m));
}
